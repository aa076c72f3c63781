-- Finds the first number that is kept.
select number
from event
where number > 0
order by number
limit 1
