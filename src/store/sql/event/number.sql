-- Gives numbers to events that are committed by now and have none, at most $1, in the order of their ids.
with fresh as materialized (
    select id
    from event
    where number is null and id > 0
    order by id
    limit $1
),
counted as (
    update event_counter
    set last = last + (select count(*) from fresh)
    where name = 'event' and exists (select from fresh)
    returning last
),
placed as (
    select id, row_number() over (order by id desc) - 1 as before_last
    from fresh
)
update event
set number = counted.last - placed.before_last
from placed, counted
where event.id = placed.id and event.id = any (array(select id from fresh))
