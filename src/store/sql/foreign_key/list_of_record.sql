-- Lists the keys that a record's copies bear or bore, the latest first.
select source, key, state, changed_at
from foreign_key
where entity = $1 and record = $2
order by changed_at desc, source, key
limit $3
