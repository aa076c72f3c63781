-- Settles operations for good, except at the sources $5.
update operation
set state = ended.state, new_key = ended.new_key, ended_at = clock_timestamp()
from unnest($2::uuid[], $3::text[], $4::text[]) as ended (id, state, new_key)
where operation.entity = $1 and operation.id = ended.id and operation.state in ('in-flight', 'open', 'in-doubt')
  and operation.source <> all ($5::text[])
