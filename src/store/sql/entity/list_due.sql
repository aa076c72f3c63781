-- Lists the entities that have due work, by one look into the queue for each.
select entity.name
from entity
cross join lateral (
    select work_item.id
    from work_item
    where work_item.entity = entity.name and work_item.state in ('ready', 'waiting') and work_item.id > 0
      and work_item.due_at <= statement_timestamp()
    order by work_item.due_at
    limit 1
) as due
