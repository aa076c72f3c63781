-- Recalls all that is known of records, one row for each part of them, and tells the time: a record itself, its links, the writes to its
-- copies whose end is not settled, its open conflicts; and of which sources it is known whether they tidy, which is of all records.
-- Those are the records $2 or, where that is null, all those that this transaction has claimed items of.
select part.part, wanted.record, part.source, part.state, part.foreign_key, part.shadow, part.unknown, part.ack, part.owed,
       part.last_reading, part.missing_since, part.in_step, part.last_error, part.id, part.kind, part.document, part.carries,
       part.version, part.attempts, part.may_have_taken_effect, part.conflict, part.revision, part.path, part.agreed,
       part.contenders, null::boolean as tidies, part.now
from unnest(coalesce(
    $2::bigint[],
    array(
        select work_item.record
        from work_item
        where work_item.entity = $1 and work_item.state = 'running' and work_item.record is not null
          and work_item.xmin = pg_current_xact_id_if_assigned()::xid
        group by work_item.record
    )
)) as wanted (record)
cross join lateral (
    select 'record' as part, null as source, state, null as foreign_key, null::json as shadow, null::json as unknown,
           null::json as ack, null::json as owed, null::json as last_reading, null::timestamptz as missing_since,
           null::boolean as in_step, null as last_error, null::uuid as id, null as kind, null::json as document,
           null::json as carries, version, null::integer as attempts, null::boolean as may_have_taken_effect,
           null::bigint as conflict, null::bigint as revision, null::json as path, agreed, null::json as contenders,
           clock_timestamp() as now
    from record
    where record.entity = $1 and record.id = wanted.record
    union all
    select 'link', source, state, foreign_key, shadow, unknown, ack, owed, last_reading, missing_since, in_step, last_error,
           null, null, null, null, null, null, null, null, null, null, null, null, null
    from link
    where link.entity = $1 and link.record = wanted.record
    union all
    select 'operation', source, state, foreign_key, null, null, null, null, null, null, null, null,
           operation.id, kind, document, carries, version, attempts, may_have_taken_effect, null, null, null, null, null, null
    from operation
    where operation.entity = $1 and operation.record = wanted.record and state in ('in-flight', 'open', 'in-doubt')
    union all
    select 'conflict', null, null, null, null, null, null, null, null, null, null, null, null, kind, null, null, null, null, null,
           conflict.id, revision, path, agreed, contenders, null
    from conflict
    where conflict.entity = $1 and conflict.record = wanted.record and closed_at is null
    offset 0
) as part
union all
select 'source', null, name, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
       null, null, null, null, tidies, null
from source
where entity = $1
