-- Removes items that ended before the time that is kept, few enough at a time that nobody waits for it.
delete from work_item
where id = any (array(
    select id
    from work_item
    where state = 'done' and finished_at < statement_timestamp() - $1::bigint * interval '1 microsecond'
    order by finished_at
    limit $2
))
