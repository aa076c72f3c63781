-- Stores writes to copies of records: a new one, or how far one that is known has come. What is settled stays so. Of one that is
-- about to run (again) nothing is known of its end.
insert into operation (id, entity, record, source, kind, state, foreign_key, document, carries, version, attempts,
                       may_have_taken_effect, last_end)
select put.id, $1, put.record, put.source, put.kind, put.state, put.foreign_key, put.document, put.carries, put.version,
       put.attempts, put.may_have_taken_effect, put.last_end
from unnest($2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::json[], $9::json[], $10::bigint[],
            $11::integer[], $12::boolean[], $13::text[])
    as put (record, id, source, kind, state, foreign_key, document, carries, version, attempts, may_have_taken_effect, last_end)
on conflict (id) do update set
    state = excluded.state,
    attempts = excluded.attempts,
    may_have_taken_effect = excluded.may_have_taken_effect,
    last_end = case when excluded.state = 'in-flight' then null else coalesce(excluded.last_end, operation.last_end) end,
    exit = case when excluded.state = 'in-flight' then null else operation.exit end,
    stdout = case when excluded.state = 'in-flight' then null else operation.stdout end,
    stderr = case when excluded.state = 'in-flight' then null else operation.stderr end
where operation.state in ('in-flight', 'open', 'in-doubt')
