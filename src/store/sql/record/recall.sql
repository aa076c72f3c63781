-- Recalls all that is known of a record, one row for each part of it, and tells the time: the record itself, its links, the writes to its
-- copies whose end is not settled, its open conflicts, and of which sources it is known whether they tidy.
select 'record' as part, null as source, state, null as foreign_key, null::json as shadow, null::json as unknown,
       null::json as ack, null::json as owed, null::json as last_reading, null::timestamptz as missing_since,
       null::boolean as in_step, null as last_error, null::uuid as id, null as kind, null::json as document,
       null::json as carries, version, null::integer as attempts, null::boolean as may_have_taken_effect,
       null::bigint as conflict, null::bigint as revision, null::json as path, agreed, null::json as contenders,
       null::boolean as tidies, clock_timestamp() as now
from record
where entity = $1 and record.id = $2
union all
select 'link', source, state, foreign_key, shadow, unknown, ack, owed, last_reading, missing_since, in_step, last_error,
       null, null, null, null, null, null, null, null, null, null, null, null, null, null
from link
where entity = $1 and record = $2
union all
select 'operation', source, state, foreign_key, null, null, null, null, null, null, null, null,
       operation.id, kind, document, carries, version, attempts, may_have_taken_effect, null, null, null, null, null, null, null
from operation
where entity = $1 and record = $2 and state in ('in-flight', 'open', 'in-doubt')
union all
select 'conflict', null, null, null, null, null, null, null, null, null, null, null, null, kind, null, null, null, null, null,
       conflict.id, revision, path, agreed, contenders, null, null
from conflict
where entity = $1 and record = $2 and closed_at is null
union all
select 'source', name, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
       null, null, null, null, tidies, null
from source
where entity = $1
