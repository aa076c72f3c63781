-- Counts what every entity has, exactly, in one state of the database. Each table is read once, and what was counted is put together
-- by entity: to join it would be to compare each entity with each.
with work as materialized (
    select entity,
           count(*) filter (where state = 'ready') as ready,
           count(*) filter (where state = 'running') as running,
           count(*) filter (where state = 'waiting') as waiting,
           count(*) filter (where state = 'parked') as parked,
           min(id) as oldest
    from work_item
    where state <> 'done' and id > 0
    group by entity
),
counted as (
    select entity, ready, running, waiting, parked,
           (select greatest(floor(extract(epoch from clock_timestamp() - work_item.arrived_at)), 0)::bigint
            from work_item
            where work_item.id = work.oldest) as oldest_s,
           0::bigint as records, 0::bigint as conflicts, 0::bigint as in_doubt, 0::bigint as deletes_held
    from work
    union all
    select name, 0, 0, 0, 0, 0, last_internal_key, 0, 0, 0
    from entity
    union all
    select entity, 0, 0, 0, 0, 0, -count(*), 0, 0, 0
    from record
    where state = 'deleted'
    group by entity
    union all
    select entity, 0, 0, 0, 0, 0, 0, count(*), 0, 0
    from conflict
    where closed_at is null and id > 0
    group by entity
    union all
    select entity, 0, 0, 0, 0, 0, 0, 0, count(*), 0
    from operation
    where state = 'in-doubt'
    group by entity
    union all
    select entity, 0, 0, 0, 0, 0, 0, 0, 0, count(*)
    from held_delete
    where approved_at is null and id > 0
    group by entity
)
select entity,
       sum(ready)::bigint as ready,
       sum(running)::bigint as running,
       sum(waiting)::bigint as waiting,
       sum(parked)::bigint as parked,
       sum(oldest_s)::bigint as oldest_s,
       sum(records)::bigint as records,
       sum(conflicts)::bigint as conflicts,
       sum(in_doubt)::bigint as in_doubt,
       sum(deletes_held)::bigint as deletes_held
from counted
group by entity
order by 1
