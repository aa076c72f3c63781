-- Makes every blocked item of an entity due: which sources are down is found out anew.
update work_item
set due_at = clock_timestamp(), blocked_by = '{}'
where entity = $1 and blocked_by <> '{}'
