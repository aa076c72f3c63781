-- Puts writes in doubt whose key turned out to be another record's copy.
update operation
set state = 'in-doubt', may_have_taken_effect = true, new_key = doubted.key, last_end = doubted.why
from unnest($3::text[], $4::text[], $5::text[]) as doubted (source, key, why)
where operation.entity = $1 and operation.record = $2 and operation.source = doubted.source
  and operation.state in ('in-flight', 'open', 'in-doubt')
