-- Strikes out the daemons whose time has been over for $2 microseconds, now and at the time $3, in microseconds since the Unix epoch
-- (null: nobody): what they held is free. Nobody is waited for: one whose row is locked is just being struck out by another, or
-- prolongs its time.
delete from daemon
where id = any (array(
    select dead.id
    from daemon as dead
    where dead.id <> $1 and dead.alive_until < clock_timestamp() - $2::bigint * interval '1 microsecond'
      and dead.alive_until < timestamptz 'epoch' + ($3::bigint - $2::bigint) * interval '1 microsecond'
    for update skip locked
))
returning name
