-- Lists keys of a source that notifications tell of since the create $3 was recorded, and that no copy bears or bore; $4 at most.
with created as materialized (
    select created_at
    from operation
    where id = $3
),
told as (
    select work_item.foreign_key as key, work_item.arrived_at
    from work_item
    where work_item.entity = $1 and work_item.source = $2 and work_item.subject = 'copy'
      and work_item.state in ('ready', 'waiting', 'parked')
    union all
    select work_item.foreign_key, work_item.arrived_at
    from work_item
    where work_item.entity = $1 and work_item.state = 'running'
      and work_item.source = $2 and work_item.subject = 'copy'
)
select told.key
from told
where told.arrived_at >= (select created.created_at from created)
  and (
      select count(*)
      from foreign_key
      where foreign_key.entity = $1 and foreign_key.source = $2 and foreign_key.key = told.key
        and foreign_key.state <> 'retired'
  ) = 0
limit $4
