-- Enlists a daemon that has not been here before.
insert into daemon (id, name, alive_until)
values ($1, $2, clock_timestamp() + $3::bigint * interval '1 microsecond')
