-- Counts what every entity has, exactly, in one state of the database.
with work as (
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
deleted as (
    select entity, count(*) as records
    from record
    where state = 'deleted'
    group by entity
),
conflicting as (
    select entity, count(*) as conflicts
    from conflict
    where closed_at is null and id > 0
    group by entity
),
doubtful as (
    select entity, count(*) as in_doubt
    from operation
    where state = 'in-doubt'
    group by entity
),
held as (
    select entity, count(*) as deletes_held
    from held_delete
    where approved_at is null and id > 0
    group by entity
)
select coalesce(entity.name, work.entity) as entity,
       coalesce(work.ready, 0) as ready,
       coalesce(work.running, 0) as running,
       coalesce(work.waiting, 0) as waiting,
       coalesce(work.parked, 0) as parked,
       coalesce(greatest(floor(extract(epoch from clock_timestamp() - oldest.arrived_at)), 0), 0)::bigint as oldest_s,
       coalesce(entity.last_internal_key, 0) - coalesce(deleted.records, 0) as records,
       coalesce(conflicting.conflicts, 0) as conflicts,
       coalesce(doubtful.in_doubt, 0) as in_doubt,
       coalesce(held.deletes_held, 0) as deletes_held
from entity
full join work on work.entity = entity.name
left join work_item as oldest on oldest.id = work.oldest
left join deleted on deleted.entity = entity.name
left join conflicting on conflicting.entity = entity.name
left join doubtful on doubtful.entity = entity.name
left join held on held.entity = entity.name
order by 1
