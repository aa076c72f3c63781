-- Lists the numbers of an entity's records with a write in doubt, in the order of the doubts.
select record, number as place
from operation
where state = 'in-doubt' and number > 0 and number > $2 and entity = $1
order by number
limit $3
