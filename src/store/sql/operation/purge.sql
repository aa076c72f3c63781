-- Removes writes that were settled before the time that is kept, few enough at a time that nobody waits for it.
delete from operation
where id = any (array(
    select id
    from operation
    where state in ('done', 'superseded') and ended_at < statement_timestamp() - $1::bigint * interval '1 microsecond'
    order by ended_at
    limit $2
))
