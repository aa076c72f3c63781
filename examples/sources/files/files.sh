#!/bin/sh
# A data source for retcon: a directory of JSON files. One file is one item; its name without `.json` is its key.
#
#   files.sh DIRECTORY create | read KEY | update KEY | delete KEY | list
#
# If the directory is on a disk that comes and goes, name a directory *below* its mount point: an empty mount point
# looks like a directory from which everything was deleted, one that is not there says "unreachable".

# 1 means unreachable, 2 missing, 3 refused, and a shell that trips over its own script, or for which no process is left,
# ends with 2 as well. So only a status that this program chose counts, and any other becomes 70: a slip must not look like
# a deletion. Once it is chosen nothing more is started: that could fail.
chosen=0
new=
trap '[ "$?" = "$chosen" ] || exit 70' EXIT
trap 'tidy_up; exit 70' HUP INT TERM

tidy_up() {
    [ -z "$new" ] || rm -f -- "$new"
    new=
}

fail() {
    status=$1
    shift
    printf 'files.sh: %s\n' "$*" >&2
    tidy_up
    chosen=$status
    exit "$chosen"
}

unreachable() { fail 1 "cannot use the directory $dir: $1"; }
missing() { fail 2 "there is no file $file"; }
refused() { fail 3 "cannot write $file: $1"; }
changed() { fail 4 "$file holds something else by now, nothing was done"; }

# Comes back if the file is there. It is missing only if its directory can be read and does not name it.
must_exist() {
    [ -f "$file" ] && return
    names=$(ls -a -- "$dir" 2>&1) || unreachable "$names"
    printf '%s\n' "$names" | grep -qxF -e "${file##*/}" && unreachable "$file cannot be read"
    missing
}

# Retcon tells updates and deletes what it last read; if somebody has edited the file since, it will look again.
must_be_as_read() {
    [ -z "$RETCON_EXPECTED_SHA256" ] && return
    sum=$(sha256sum < "$file") || unreachable "$file cannot be read"
    [ "${sum%% *}" = "$RETCON_EXPECTED_SHA256" ] || changed
}

# Stores stdin beside the files, under a name that is none of theirs. The document is one line: without the end of the
# line it was cut off, and half a document must not take the place of a whole one.
receive() {
    cat > "$new" || refused "see above"
    [ -z "$(tail -c 1 "$new")" ] && [ -s "$new" ] || refused "the document on stdin is not complete"
}

case $#,$2 in
2,create | 2,list | 3,read | 3,update | 3,delete) ;;
*) fail 64 "use: files.sh DIRECTORY create | read KEY | update KEY | delete KEY | list" ;;
esac
case $1 in -*) dir=./$1 ;; *) dir=$1 ;; esac
file=$dir/$3.json
[ -d "$dir" ] && [ -x "$dir" ] || unreachable "it is not there"

case $2 in
create)
    # The operation's id makes a good key: an attempt that is repeated finds the file of the first one, and leaves it.
    key=${RETCON_OPERATION_ID:-$(date +%Y%m%d%H%M%S)-$$}
    file=$dir/$key.json new=$dir/.new.$$
    receive
    ln -- "$new" "$file" 2>/dev/null || [ -f "$file" ] || refused "see above"
    tidy_up
    printf '%s\n' "$key"
    ;;
read)
    must_exist
    cat -- "$file" || unreachable "$file cannot be read"
    ;;
update)
    must_exist
    new=$dir/.new.$$
    cp -p -- "$file" "$new" || refused "see above" # keeps owner and mode
    receive
    must_be_as_read
    mv -f -- "$new" "$file" || refused "see above" # in one step: nobody ever reads half a file
    ;;
delete)
    must_exist
    must_be_as_read
    rm -- "$file" || refused "see above"
    ;;
list)
    for file in "$dir"/*.json; do
        [ -f "$file" ] || continue
        file=${file##*/}
        printf '%s\n' "${file%.json}"
    done
    ;;
esac
