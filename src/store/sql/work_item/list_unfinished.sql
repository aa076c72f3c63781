-- Lists work items in a state that is not done, by number, of one entity or of all.
select id, entity, source, foreign_key, record, state, attempts, nullif(greatest(due_at, arrived_at), 'infinity') as due_at,
       blocked_by, last_error, outcome, coalesced_into, command
from work_item
where state = $3 and state <> 'done' and id > 0 and id > $1 and ($4::text is null or entity = $4)
order by id
limit $2
