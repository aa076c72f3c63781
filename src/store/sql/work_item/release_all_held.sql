-- Makes every item of an entity due that waits for a write: which of them must wait is found out anew.
update work_item
set due_at = clock_timestamp(), held_by = null
where held_by is not null and entity = $1 and state in ('ready', 'waiting')
