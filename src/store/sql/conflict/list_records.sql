-- Lists the numbers of an entity's records that have an open conflict, in their order.
select distinct record, record as place
from conflict
where entity = $1 and record > $2 and closed_at is null
order by record
limit $3
