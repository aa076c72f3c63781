-- Removes events that are older than $1 microseconds: of the oldest, at most $2 at a time.
delete from event
where id = any (array(
    select oldest.id
    from (select id, at from event where id > 0 order by id limit $2) as oldest
    where oldest.at < clock_timestamp() - $1::bigint * interval '1 microsecond'
))
