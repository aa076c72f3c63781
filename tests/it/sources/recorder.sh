#!/bin/sh
# Runs a data source, records the run, and plays the faults that a test has set.
#
#   recorder.sh SYSTEM PROGRAM [ARGUMENT...]
#
# SYSTEM/../runs gets a line when the run starts and one when it ends. SYSTEM/faults/OPERATION is a piece of shell that is
# run instead of the program if it exits, before it if not; SYSTEM/faults/OPERATION.after is run when the program has ended.

system=$1
shift
run="$$ $RETCON_SOURCE $RETCON_OPERATION ${RETCON_INTERNAL_KEY:--} ${RETCON_OPERATION_ID:--} $RETCON_KEY"
trap 'status=$?; printf "end %s %s\n" "$status" "$run" >> "$system/../runs"' EXIT
printf 'start - %s\n' "$run" >> "$system/../runs"
[ -f "$system/faults/$RETCON_OPERATION" ] && . "$system/faults/$RETCON_OPERATION"
"$@"
status=$?
[ -f "$system/faults/$RETCON_OPERATION.after" ] && . "$system/faults/$RETCON_OPERATION.after"
exit "$status"
