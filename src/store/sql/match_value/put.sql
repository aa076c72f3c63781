-- Makes $3 the match values of the records $2, where they are free; null stands for none. A new record of which nothing was agreed yet
-- keeps the one that it was introduced with: that its copy cannot be read now does not make it another item. All values that
-- are given up are gone before any is taken: what one of the records gives up, another one may take.
with wanted as materialized (
    select *
    from unnest($2::bigint[], $3::text[]) as wanted (record, value)
),
matched as materialized (
    -- Those that are to have another value than they have.
    select wanted.record, wanted.value, borne.value as former
    from wanted
    left join lateral (
        select match_value.value
        from match_value
        where match_value.entity = $1 and match_value.record = wanted.record
        offset 0
    ) as borne on true
    where borne.value is distinct from wanted.value
      and (wanted.value is not null
           or (
               select record.version > 0 or record.state = 'deleted'
               from record
               where record.entity = $1 and record.id = wanted.record
           ))
),
turn as materialized (
    -- They change hands one transaction after the other: two that exchange theirs would wait for each other for ever.
    select pg_advisory_xact_lock(1835103075, hashtext($1))
    where exists (select from matched)
),
gone as (
    delete from match_value
    using matched
    where match_value.entity = $1 and match_value.value = any (array(select former from matched))
      and match_value.value = matched.former and match_value.record = matched.record
      and (select count(*) from turn) >= 0
    returning match_value.value
)
insert into match_value (entity, value, record)
select $1, matched.value, matched.record
from matched
where matched.value is not null and (select count(*) from turn) >= 0 and (select count(*) from gone) >= 0
order by matched.value
on conflict (entity, value) do nothing
