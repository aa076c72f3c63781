-- Strikes out the daemons whose time has been over for $2 microseconds: what they held is free. Nobody is waited for: one whose row
-- is locked is just being struck out by another, or prolongs its time.
delete from daemon
where id = any (array(
    select dead.id
    from daemon as dead
    where dead.id <> $1 and dead.alive_until < clock_timestamp() - $2::bigint * interval '1 microsecond'
    for update skip locked
))
returning name
