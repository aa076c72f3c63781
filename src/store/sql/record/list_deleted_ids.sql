-- Lists the numbers of the records of an entity that are deleted, in their order.
select id as record, id as place
from record
where entity = $1 and id > $2 and state = 'deleted'
order by id
limit $3
