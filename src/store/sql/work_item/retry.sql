-- Makes items ready with fresh attempts, those that are neither running nor done; tells of each in which state it was found. Of one that a
-- limit has parked this is a person's consent.
with found as (
    select id, entity, state
    from work_item
    where id = any ($1)
    for update
),
retried as (
    update work_item
    set state = 'ready', attempts = 0, due_at = clock_timestamp(), blocked_by = '{}', held_by = null,
        asked_at = clock_timestamp(),
        consent = case when found.state = 'parked' and work_item.consent = 'asked' then 'given' else work_item.consent end
    from found
    where work_item.id = found.id and found.state in ('ready', 'waiting', 'parked')
)
select entity, state, state in ('ready', 'waiting', 'parked') as handled
from found
