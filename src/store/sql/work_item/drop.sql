-- Ends items as dropped, those that are neither running nor done; tells of each in which state it was found.
with found as (
    select id, entity, state
    from work_item
    where id = any ($1)
    for update
),
dropped as (
    update work_item
    set state = 'done', outcome = 'dropped', blocked_by = '{}', held_by = null, finished_at = clock_timestamp()
    from found
    where work_item.id = found.id and found.state in ('ready', 'waiting', 'parked')
)
select entity, state, state in ('ready', 'waiting', 'parked') as handled
from found
