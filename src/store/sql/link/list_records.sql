-- Lists the numbers of the records that have a copy in a source, in their order.
select record, record as place
from link
where entity = $1 and source = $4 and state = 'linked' and record > $2
order by record
limit $3
