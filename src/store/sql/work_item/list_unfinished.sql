-- Lists work items in a state that is not done, by number, of one entity or of all. The index of what is not done gives their numbers:
-- that of all numbers would be read from its beginning, which is done.
select id, entity, source, foreign_key, record, state, attempts, nullif(greatest(due_at, arrived_at), 'infinity') as due_at,
       blocked_by, last_error, outcome, coalesced_into, command
from work_item
where id = any (array(
    select listed.id
    from work_item as listed
    where listed.state = $3 and listed.state <> 'done' and listed.id > 0 and listed.id > $1
      and ($4::text is null or listed.entity = $4)
    order by listed.id
    limit $2
))
order by id
