-- Lists the entities that have due work, by one look into the queue for each.
select entity.name
from entity
where exists (
    select
    from work_item
    where work_item.entity = entity.name and work_item.state in ('ready', 'waiting') and work_item.id > 0
      and work_item.due_at <= statement_timestamp()
)
