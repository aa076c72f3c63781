-- Makes every blocked item of an entity due: which sources are down is found out anew. They are locked in the order in which notifications
-- lock them, so that neither waits for the other for ever.
with blocked as materialized (
    select id
    from work_item
    where entity = $1 and blocked_by <> '{}'
    order by source collate "C", foreign_key collate "C", record, id
    for update
)
update work_item
set due_at = clock_timestamp(), blocked_by = '{}'
where id = any (array(select id from blocked))
