-- Makes $3 the match value of a record, where it is free; null stands for none.
with gone as (
    delete from match_value
    where entity = $1 and record = $2 and value is distinct from $3
)
insert into match_value (entity, value, record)
select $1, wanted.value, $2
from (values ($3::text)) as wanted (value)
where wanted.value is not null
on conflict (entity, value) do nothing
