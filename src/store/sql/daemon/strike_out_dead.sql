-- Strikes out the daemons whose time has been over for $2 microseconds: what they held is free.
delete from daemon
where id <> $1 and alive_until < clock_timestamp() - $2::bigint * interval '1 microsecond'
returning name
