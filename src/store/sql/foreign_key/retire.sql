-- Stores that copies of records are gone, with the document that each last held. A key that names another record by now
-- stays that record's.
insert into foreign_key (entity, source, key, record, state, document)
select $1, gone.source, gone.key, gone.record, 'retired', gone.document
from unnest($2::bigint[], $3::text[], $4::text[], $5::json[]) as gone (record, source, key, document)
on conflict (entity, source, key) do update set
    state = 'retired',
    document = excluded.document,
    changed_at = clock_timestamp()
where foreign_key.record = excluded.record
