-- Lists the latest of the deletions that wait for a person, of all entities.
select entity, source, held_at
from held_delete
where approved_at is null and id > 0 and id < $1
order by id desc
limit $2
