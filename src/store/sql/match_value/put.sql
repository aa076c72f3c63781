-- Makes $3 the match value of a record, where it is free; null stands for none. A new record of which nothing was agreed yet keeps
-- the one that it was introduced with: that its copy cannot be read now does not make it another item.
with gone as (
    delete from match_value
    where entity = $1 and record = $2 and value is distinct from $3
      and ($3::text is not null
           or exists (select from record where entity = $1 and id = $2 and (version > 0 or state = 'deleted')))
)
insert into match_value (entity, value, record)
select $1, wanted.value, $2
from (values ($3::text)) as wanted (value)
where wanted.value is not null
on conflict (entity, value) do nothing
