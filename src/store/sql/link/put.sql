-- Stores links of records as they are from now on, and which keys their copies bear; a null key stands for no copy. Keys that they bore
-- before are former ones.
with changed as materialized (
    select *
    from unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::json[], $7::json[], $8::json[], $9::json[], $10::json[],
                $11::timestamptz[], $12::boolean[], $13::text[])
        as changed (record, source, state, foreign_key, shadow, unknown, ack, owed, last_reading, missing_since, in_step, last_error)
),
former as (
    update foreign_key
    set state = 'former', changed_at = clock_timestamp()
    from changed
    where foreign_key.entity = $1 and foreign_key.record = any ($2) and foreign_key.record = changed.record
      and foreign_key.source = changed.source and foreign_key.state = 'current'
      and foreign_key.key is distinct from changed.foreign_key
),
borne as (
    insert into foreign_key (entity, source, key, record, state)
    select $1, changed.source, changed.foreign_key, changed.record, 'current'
    from changed
    -- The key that it has already is not even locked, and looked for among the record's own.
    where changed.foreign_key is not null and (
        select count(*)
        from (
            select foreign_key.source, foreign_key.key
            from foreign_key
            where foreign_key.entity = $1 and foreign_key.record = changed.record and foreign_key.state = 'current'
            offset 0
        ) as own
        where own.source = changed.source and own.key = changed.foreign_key
    ) = 0
    on conflict (entity, source, key) do update set
        record = excluded.record,
        state = 'current',
        document = null,
        changed_at = clock_timestamp()
    where (foreign_key.record, foreign_key.state) <> (excluded.record, 'current')
)
insert into link (entity, record, source, state, foreign_key, shadow, unknown, ack, owed, last_reading, missing_since, in_step,
                  last_error)
select $1, changed.record, changed.source, changed.state, changed.foreign_key, changed.shadow, changed.unknown, changed.ack,
       changed.owed, changed.last_reading, changed.missing_since, changed.in_step, changed.last_error
from changed
on conflict (entity, record, source) do update set
    state = excluded.state,
    foreign_key = excluded.foreign_key,
    shadow = excluded.shadow,
    unknown = excluded.unknown,
    ack = excluded.ack,
    owed = excluded.owed,
    last_reading = excluded.last_reading,
    missing_since = excluded.missing_since,
    in_step = excluded.in_step,
    last_error = excluded.last_error,
    recorded_at = clock_timestamp()
