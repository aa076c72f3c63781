-- Lists what is agreed of the live records of an entity, in their order.
select id, agreed
from record
where entity = $1 and id > $2 and state = 'live'
order by id
limit $3
