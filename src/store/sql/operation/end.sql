-- Settles writes to copies of the records $2 for good, except at the sources $6.
update operation
set state = ended.state, new_key = ended.new_key, ended_at = clock_timestamp()
from unnest($2::bigint[], $3::uuid[], $4::text[], $5::text[]) as ended (record, id, state, new_key)
where operation.id = any ($3) and operation.id = ended.id and operation.entity = $1 and operation.record = ended.record
  and operation.state not in ('done', 'superseded') and operation.source <> all ($6::text[])
