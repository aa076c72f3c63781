-- Stores notifications, each as a new item or as another asking for the one that waits. The update on conflict locks the
-- row that waits: if a claim has just taken it, a new item is made instead, so that no notification is ever lost. The caller
-- sorts the rows, so that two such statements cannot deadlock.
insert into work_item (entity, subject, source, foreign_key)
select asked.entity, 'copy', asked.source, asked.foreign_key
from unnest($1::text[], $2::text[], $3::text[]) as asked (entity, source, foreign_key)
on conflict (entity, source, foreign_key) where subject = 'copy' and state in ('ready', 'waiting', 'parked')
do update set
    asked = work_item.asked + 1,
    asked_at = clock_timestamp(),
    state = case work_item.state when 'parked' then 'ready' else work_item.state end,
    attempts = case work_item.state when 'parked' then 0 else work_item.attempts end,
    due_at = case
        when work_item.state = 'parked' then clock_timestamp()
        when work_item.source = any (work_item.blocked_by) then work_item.due_at
        else least(work_item.due_at, clock_timestamp())
    end,
    blocked_by = case when work_item.source = any (work_item.blocked_by) then work_item.blocked_by else '{}' end,
    held_by = null
returning id, entity, source, foreign_key, asked > 1 as coalesced
