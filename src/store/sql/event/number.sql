-- Gives numbers to events that are committed by now and have none, at most $1, in the order of their ids. An event's place among them is
-- looked up in the array of their ids: joined with them, each might be looked for among all that are numbered.
with fresh as materialized (
    select id
    from event
    where number is null and id > 0
    order by id
    limit $1
),
ids as materialized (
    select array(select id from fresh order by id) as ids
),
counted as (
    update event_counter
    set last = last + (select cardinality(ids) from ids)
    where name = 'event' and exists (select from fresh)
    returning last
)
update event
set number = (select counted.last - cardinality(ids.ids) from counted, ids)
    + width_bucket(event.id, (select ids from ids))
where event.id = any ((select ids from ids)::bigint[])
