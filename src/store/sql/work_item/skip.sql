-- Finds the item in a state that is not done that stands so many places further on.
select id
from work_item
where state = $1 and state <> 'done' and id > 0 and id > $2
order by id
offset $3
limit 1
