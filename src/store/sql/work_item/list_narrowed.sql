-- Lists work items in a state that is not done, by number, narrowed to an entity, to the source that they are about, and to a text in
-- their last error; looks no further than $7 items.
select id, entity, source, foreign_key, record, state, attempts, nullif(greatest(due_at, arrived_at), 'infinity') as due_at,
       blocked_by, last_error, outcome, coalesced_into, command
from work_item
where id = any (array(
    select listed.id
    from work_item as listed
    where listed.state = $3 and listed.state <> 'done' and listed.id > 0 and listed.id > $1
    order by listed.id
    limit $7
))
  and ($4::text is null or entity = $4)
  and ($5::text is null or source = $5 or $5 = any (blocked_by))
  and ($6::text is null or position($6 in last_error) > 0)
order by id
limit $2
