-- Records how far the daemon $2 has read under the name $1, if it is still the one who does.
update event_reader
set position = $3
where name = $1 and holder = $2
