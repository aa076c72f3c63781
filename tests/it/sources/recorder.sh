#!/bin/sh
# Runs a data source, records the run, and plays the faults that a test has set.
#
#   recorder.sh SYSTEM PROGRAM [ARGUMENT...]
#
# SYSTEM/../runs gets a line when the run starts and one when it ends, and one if another run was not over yet.
# SYSTEM/faults/OPERATION is a piece of shell that is run before the program, or instead of it if it exits;
# SYSTEM/faults/OPERATION.after is run when the program has ended.

system=$1
shift
run="$$ $RETCON_SOURCE $RETCON_OPERATION ${RETCON_INTERNAL_KEY:--} ${RETCON_OPERATION_ID:--} $RETCON_KEY"

record() {
    printf '%s\n' "$1 $run" >> "$system/../runs"
}

if [ "$RETCON_OPERATION" != list ]; then
    [ -f "$system/running" ] && read -r other < "$system/running" && kill -0 "$other" 2> /dev/null && record "overlap $other"
    echo $$ > "$system/running"
fi
trap 'status=$?; record "end $status"; [ "$RETCON_OPERATION" = list ] || : > "$system/running"' EXIT
trap 'exit 143' TERM
record "start -"
[ -f "$system/faults/$RETCON_OPERATION" ] && . "$system/faults/$RETCON_OPERATION"
"$@"
status=$?
[ -f "$system/faults/$RETCON_OPERATION.after" ] && . "$system/faults/$RETCON_OPERATION.after"
exit "$status"
