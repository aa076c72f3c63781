#!/bin/sh
# Runs a data source, records the run, and plays the faults that a test has set.
#
#   recorder.sh SYSTEM PROGRAM [ARGUMENT...]
#
# SYSTEM/../runs gets a line when the run starts and one when it ends, and one for each run that it must not meet and meets.
# SYSTEM/faults/OPERATION is a piece of shell that is run before the program, or instead of it if it exits;
# SYSTEM/faults/OPERATION.after is run when the program has ended.

system=$1
shift
# When our process was started, in hundredths of a second since the machine was: what the shell took to come here is not in it.
read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ began _ < "/proc/$$/stat"
run="$$ $began $RETCON_SOURCE $RETCON_OPERATION ${RETCON_INTERNAL_KEY:--} ${RETCON_OPERATION_ID:--} $RETCON_KEY"

record() {
    printf '%s\n' "$1 $run" >> "$system/../runs"
}

# Records every other run that is not over: of this source, or of this record where one of the two changes something.
look_around() {
    for place in "$system"/../*/running; do
        read -r pid operation record < "$place" || continue
        # One that has ended and was not reaped yet acts no more.
        read -r _ _ state _ 2> /dev/null < "/proc/$pid/stat" && [ "$state" != Z ] || continue
        case "$place,$record,$operation,$RETCON_OPERATION" in
        "$system/../${system##*/}/running",*) [ "$pid" = $$ ] || record "overlap $pid" ;;
        *,-,* | *,read,read) ;;
        *,"$RETCON_INTERNAL_KEY",*) record "overlap $pid" ;;
        esac
    done
}

trap 'status=$?; record "end $status"; [ "$RETCON_OPERATION" = list ] || : > "$system/running"' EXIT
trap 'exit 143' TERM
record "start -"
if [ "$RETCON_OPERATION" != list ]; then
    [ -f "$system/running" ] && look_around
    echo "$$ $RETCON_OPERATION ${RETCON_INTERNAL_KEY:--}" > "$system/running"
    look_around
fi
[ -f "$system/faults/$RETCON_OPERATION" ] && . "$system/faults/$RETCON_OPERATION"
"$@"
status=$?
[ -f "$system/faults/$RETCON_OPERATION.after" ] && . "$system/faults/$RETCON_OPERATION.after"
exit "$status"
