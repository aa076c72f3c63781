-- Makes $3 the match values of the records $2, where they are free; null stands for none. A new record of which nothing was agreed yet
-- keeps the one that it was introduced with: that its copy cannot be read now does not make it another item. All values that
-- are given up are gone before any is taken: what one of the records gives up, another one may take.
with wanted as materialized (
    select *
    from unnest($2::bigint[], $3::text[]) as wanted (record, value)
),
gone as (
    delete from match_value
    using wanted
    where match_value.entity = $1 and match_value.record = any ($2) and match_value.record = wanted.record
      and match_value.value is distinct from wanted.value
      and (wanted.value is not null
           or (
               select record.version > 0 or record.state = 'deleted'
               from record
               where record.entity = $1 and record.id = wanted.record
           ))
    returning match_value.value
)
insert into match_value (entity, value, record)
select $1, wanted.value, wanted.record
from wanted
where wanted.value is not null and (select count(*) from gone) >= 0
order by wanted.value
on conflict (entity, value) do nothing
