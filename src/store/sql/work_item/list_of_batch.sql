-- Lists the orders of a batch by number that were not carried out: refused, or not to be decided for now.
select id, record, state, outcome, last_error
from work_item
where batch = $1 and id > $2
  and (state = 'done' and outcome in ('refused', 'stale', 'dropped') or state = 'parked' and command is not null)
order by id
limit $3
