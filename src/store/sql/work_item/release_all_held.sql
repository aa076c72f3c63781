-- Makes every item of an entity due that waits for a write: which of them must wait is found out anew. They are locked in the order in
-- which notifications lock them, so that neither waits for the other for ever.
with held as materialized (
    select id
    from work_item
    where held_by is not null and entity = $1 and state in ('ready', 'waiting')
    order by source collate "C", foreign_key collate "C", record, id
    for update
)
update work_item
set due_at = clock_timestamp(), held_by = null
where id = any (array(select id from held))
