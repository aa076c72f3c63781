-- Lists the numbers of an entity's records, in their order.
select id as record, id as place
from record
where entity = $1 and id > $2
order by id
limit $3
