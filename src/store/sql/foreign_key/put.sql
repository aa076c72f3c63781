-- Stores which keys a record's copies bear now; a null key stands for no copy. Keys that they bore before are former ones.
with borne as (
    select borne.source, borne.key
    from unnest($3::text[], $4::text[]) as borne (source, key)
),
former as (
    update foreign_key
    set state = 'former', changed_at = clock_timestamp()
    from borne
    where foreign_key.entity = $1 and foreign_key.record = $2 and foreign_key.source = borne.source
      and foreign_key.state = 'current' and foreign_key.key is distinct from borne.key
)
insert into foreign_key (entity, source, key, record, state)
select $1, borne.source, borne.key, $2, 'current'
from borne
where borne.key is not null
on conflict (entity, source, key) do update set
    record = excluded.record,
    state = 'current',
    document = null,
    changed_at = clock_timestamp()
where (foreign_key.record, foreign_key.state) <> (excluded.record, 'current')
