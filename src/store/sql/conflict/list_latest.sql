-- Lists the latest of the open conflicts, of all entities.
select id, entity, record, path, kind, opened_at
from conflict
where closed_at is null and id > 0 and id < $1
order by id desc
limit $2
