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
matched as materialized (
    -- Those that are to have another value than they have.
    select revised.record, revised.match_value, borne.value
    from revised
    left join lateral (
        select match_value.value
        from match_value
        where match_value.entity = $1 and match_value.record = revised.record
        offset 0
    ) as borne on true
    where borne.value is distinct from revised.match_value
),
turn as materialized (
    -- They change hands one transaction after the other: two that exchange theirs would wait for each other for ever.
    select pg_advisory_xact_lock(1835103075, hashtext($1))
    where exists (select from matched)
),
gone as (
    delete from match_value
    using matched
    where match_value.entity = $1 and match_value.value = any (array(select value from matched))
      and match_value.value = matched.value and match_value.record = matched.record
      and (select count(*) from turn) >= 0
    returning match_value.value
),
matching as (
    insert into match_value (entity, value, record)
    select $1, matched.match_value, matched.record
    from matched
    where matched.match_value is not null and (select count(*) from turn) >= 0 and (select count(*) from gone) >= 0
    order by matched.match_value
    on conflict (entity, value) do nothing
)
insert into version (entity, record, version, cause, changes, conflicts, overruled, state)
select $1, revised.record, revised.version, revised.cause, revised.changes, revised.conflicts, revised.overruled, revised.state
from revised
