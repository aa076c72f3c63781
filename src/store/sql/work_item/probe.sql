-- Makes one item due that waits for a source, by chance: were it always the same one, and the source failed at its copy
-- alone, all others would wait for ever.
update work_item
set due_at = clock_timestamp(), blocked_by = '{}'
where id = any (array(
    select id
    from work_item
    where entity = $1 and blocked_by <> '{}' and $2 = any (blocked_by)
    order by random()
    limit 1
    for update
))
