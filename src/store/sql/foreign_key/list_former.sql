-- Lists the keys that a record's copies had before, oldest first.
select source, key
from foreign_key
where entity = $1 and record = $2 and state in ('former', 'retired')
order by source, changed_at, key
