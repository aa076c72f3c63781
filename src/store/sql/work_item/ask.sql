-- Asks for a look at a record, or at several, as far as there are such, in the way in which a notification asks for one at a copy.
-- In their order, so that two such statements cannot deadlock.
insert into work_item (entity, subject, record)
select record.entity, 'record', record.id
from record
where record.entity = $1 and record.id = any ($2)
order by record.id
on conflict (entity, record) where subject = 'record' and command is null and state in ('ready', 'waiting', 'parked')
do update set
    asked = work_item.asked + 1,
    asked_at = clock_timestamp(),
    state = case work_item.state when 'parked' then 'ready' else work_item.state end,
    attempts = case work_item.state when 'parked' then 0 else work_item.attempts end,
    due_at = case work_item.state when 'parked' then clock_timestamp() else least(work_item.due_at, clock_timestamp()) end,
    blocked_by = '{}'
returning id, asked > 1 as coalesced
