-- Gives copies new keys, where nothing else of their links has changed.
insert into link (entity, record, source, state, foreign_key)
select $1, rekeyed.record, rekeyed.source, 'linked', rekeyed.key
from unnest($2::bigint[], $3::text[], $4::text[]) as rekeyed (record, source, key)
on conflict (entity, record, source) do update set
    state = 'linked',
    foreign_key = excluded.foreign_key,
    recorded_at = clock_timestamp()
