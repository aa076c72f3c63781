-- Finds a work item.
select id, entity, source, foreign_key, record, state, attempts, nullif(greatest(due_at, arrived_at), 'infinity') as due_at,
       blocked_by, last_error, outcome, coalesced_into, command
from work_item
where id = $1
