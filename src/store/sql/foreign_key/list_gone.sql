-- Lists the copies that a record has lost, the last one of each source, with what they held.
select distinct on (source) source, key, document
from foreign_key
where entity = $1 and record = $2 and state = 'retired'
order by source, changed_at desc
