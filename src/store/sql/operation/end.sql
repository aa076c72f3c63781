-- Settles writes to a record's copies for good, except at the sources $6.
update operation
set state = ended.state, new_key = ended.new_key, ended_at = clock_timestamp()
from unnest($3::uuid[], $4::text[], $5::text[]) as ended (id, state, new_key)
where operation.entity = $1 and operation.record = $2 and operation.id = ended.id
  and operation.state in ('in-flight', 'open', 'in-doubt') and operation.source <> all ($6::text[])
