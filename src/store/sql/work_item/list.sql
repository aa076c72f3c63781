-- Lists work items by number, in all states or in the one of which there are most, done; of one entity or of all.
select id, entity, source, foreign_key, record, state, attempts, nullif(greatest(due_at, arrived_at), 'infinity') as due_at,
       blocked_by, last_error, outcome, coalesced_into, command
from work_item
where id > $1 and ($3::text is null or state = $3) and ($4::text is null or entity = $4)
order by id
limit $2
