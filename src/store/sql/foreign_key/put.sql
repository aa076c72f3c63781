-- Stores which keys copies of records bear now. Keys that they bore before are former ones.
with borne as (
    select borne.record, borne.source, borne.key
    from unnest($2::bigint[], $3::text[], $4::text[]) as borne (record, source, key)
),
former as (
    update foreign_key
    set state = 'former', changed_at = clock_timestamp()
    from borne
    where foreign_key.entity = $1 and foreign_key.record = any ($2) and foreign_key.record = borne.record
      and foreign_key.source = borne.source and foreign_key.state = 'current' and foreign_key.key <> borne.key
)
insert into foreign_key (entity, source, key, record, state)
select $1, borne.source, borne.key, borne.record, 'current'
from borne
on conflict (entity, source, key) do update set
    record = excluded.record,
    state = 'current',
    document = null,
    changed_at = clock_timestamp()
where (foreign_key.record, foreign_key.state) <> (excluded.record, 'current')
