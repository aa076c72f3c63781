#!/bin/sh
# A data source by docs/data-sources.md alone: a directory, one file an item. plain.sh DIRECTORY OPERATION [KEY]
# A file `refuse` in the directory has it refuse every change, a file `rekey` has it change the key at every update.
# Its stderr says what it does.

items=$1/items
operation=$2
item=$items/$3.json

new_key() {
    number=$(($(cat "$items/../next" 2>/dev/null || echo 1)))
    echo $((number + 1)) > "$items/../next"
    echo "sh-$number"
}

exists() {
    [ -e "$item" ] || { echo "plain.sh: no item $1" >&2; exit 2; }
}

refusing() {
    [ -e "$items/../refuse" ] && { cat > /dev/null; echo "plain.sh: $operation refused" >&2; exit 3; }
}

[ -d "$items" ] || { echo "plain.sh: nobody at home" >&2; exit 1; }
echo "plain.sh: $operation" >&2
case $operation in
create)
    refusing
    key=$(new_key)
    cat > "$items/$key.json.new" && mv "$items/$key.json.new" "$items/$key.json" && echo "$key"
    ;;
read)
    exists "$3"
    cat "$item"
    ;;
update)
    exists "$3"
    refusing
    cat > "$item.new" && mv "$item.new" "$item"
    if [ -e "$items/../rekey" ]; then
        key=$(new_key)
        mv "$item" "$items/$key.json"
        echo "$key"
    fi
    ;;
delete)
    exists "$3"
    refusing
    rm "$item"
    ;;
list)
    for item in "$items"/*.json; do
        if [ -e "$item" ]; then basename "$item" .json; fi
    done
    ;;
esac
