-- Has no other daemon's time last longer than $2 microseconds from now: where it does, the clock was set back after it was prolonged,
-- and a daemon that is dead would hold what it has for as long as the clock was set back by. Nobody is waited for.
update daemon
set alive_until = clock_timestamp() + $2::bigint * interval '1 microsecond'
where id = any (array(
    select ahead.id
    from daemon as ahead
    where ahead.id <> $1 and ahead.alive_until > clock_timestamp() + $2::bigint * interval '1 microsecond'
    for update skip locked
))
