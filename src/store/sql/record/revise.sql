-- Records the next version of a record: what is agreed from now on, its place in the history, and the match value where that is
-- free; null stands for none.
with revised as (
    update record
    set state = $3, version = $4, agreed = $5, changed_at = clock_timestamp()
    where entity = $1 and id = $2
),
gone as (
    delete from match_value
    where entity = $1 and record = $2 and value is distinct from $6
),
matching as (
    insert into match_value (entity, value, record)
    select $1, wanted.value, $2
    from (values ($6::text)) as wanted (value)
    where wanted.value is not null
    on conflict (entity, value) do nothing
)
insert into version (entity, record, version, cause, changes, conflicts, overruled, state)
values ($1, $2, $4, $7, $8, $9, $10, $3)
