-- Ends an item as dropped, if it is neither running nor done; tells in which state it was found.
with found as (
    select id, entity, state
    from work_item
    where id = $1
    for update
),
dropped as (
    update work_item
    set state = 'done', outcome = 'dropped', blocked_by = '{}', held_by = null, finished_at = clock_timestamp()
    from found
    where work_item.id = $1 and work_item.id = found.id and found.state in ('ready', 'waiting', 'parked')
    returning work_item.id
)
select found.entity, found.state, exists (select from dropped) as handled
from found
