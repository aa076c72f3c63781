-- Records the next versions of records: what is agreed from now on, its place in the history, and the match value where that is
-- free; null stands for none. All values that are given up are gone before any is taken: what one of the records gives up, another
-- one may take.
with revised as materialized (
    select *
    from unnest($2::bigint[], $3::text[], $4::bigint[], $5::json[], $6::text[], $7::json[], $8::json[], $9::json[], $10::json[])
        as revised (record, state, version, agreed, match_value, cause, changes, conflicts, overruled)
),
stored as (
    update record
    set state = revised.state, version = revised.version, agreed = revised.agreed, changed_at = clock_timestamp()
    from revised
    where record.entity = $1 and record.id = any ($2) and record.id = revised.record
),
gone as (
    delete from match_value
    using revised
    where match_value.entity = $1 and match_value.record = any ($2) and match_value.record = revised.record
      and match_value.value is distinct from revised.match_value
    returning match_value.value
),
matching as (
    insert into match_value (entity, value, record)
    select $1, revised.match_value, revised.record
    from revised
    where revised.match_value is not null and (select count(*) from gone) >= 0
    order by revised.match_value
    on conflict (entity, value) do nothing
)
insert into version (entity, record, version, cause, changes, conflicts, overruled, state)
select $1, revised.record, revised.version, revised.cause, revised.changes, revised.conflicts, revised.overruled, revised.state
from revised
