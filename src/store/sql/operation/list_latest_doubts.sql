-- Lists the latest of the writes in doubt, of all entities.
select number, entity, record, source, kind, created_at
from operation
where state = 'in-doubt' and number > 0 and number < $1
order by number desc
limit $2
