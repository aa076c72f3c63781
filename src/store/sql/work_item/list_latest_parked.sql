-- Lists the latest of the parked items, of all entities.
select id, entity, source, foreign_key, record, left(last_error, 400) as last_error, arrived_at
from work_item
where state = 'parked' and id > 0 and id < $1
order by id desc
limit $2
