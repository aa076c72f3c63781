-- Leaves it to others to read under the name $1.
update event_reader
set held_until = clock_timestamp()
where name = $1 and holder = $2
