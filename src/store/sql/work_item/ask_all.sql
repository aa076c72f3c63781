-- Asks for looks at some records, as ask.sql does for one. The caller sorts them, so that two such statements cannot deadlock.
insert into work_item (entity, subject, record)
select $1, 'record', asked.record
from unnest($2::bigint[]) as asked (record)
on conflict (entity, record) where subject = 'record' and command is null and state in ('ready', 'waiting', 'parked')
do update set
    asked = work_item.asked + 1,
    asked_at = clock_timestamp(),
    state = case work_item.state when 'parked' then 'ready' else work_item.state end,
    attempts = case work_item.state when 'parked' then 0 else work_item.attempts end,
    due_at = case work_item.state when 'parked' then clock_timestamp() else least(work_item.due_at, clock_timestamp()) end,
    blocked_by = '{}'
returning id
