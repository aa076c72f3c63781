-- Makes items due that wait for a source, those first that have waited longest; few enough at a time that others can
-- use the queue in between.
update work_item
set due_at = clock_timestamp(), blocked_by = '{}'
where id = any (array(
    select id
    from work_item
    where entity = $1 and blocked_by <> '{}' and $2 = any (blocked_by)
    order by id
    limit $3
    for update
))
