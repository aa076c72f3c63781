-- Lists the orders of a batch by number that were refused, or that failed and wait for a person.
select id, record, state, outcome, last_error
from work_item
where batch = $1 and id > $2
  and (state = 'done' and outcome in ('refused', 'stale', 'dropped') or state = 'parked')
order by id
limit $3
