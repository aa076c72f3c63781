-- Finds the record whose copy bears a key now.
select record
from link
where entity = $1 and source = $2 and foreign_key = $3
