-- Finds a batch, with what has become of its orders as far as they are remembered. One that is decided is still to come as long as its
-- writes are.
select batch.id, batch.entity, batch.path, batch.kind, batch.sources, batch.decision, batch.orders, batch.at,
       counted.applied, counted.refused, counted.parked, counted.coming
from batch
cross join lateral (
    select count(*) filter (where said.became = 'applied') as applied, count(*) filter (where said.became = 'refused') as refused,
           count(*) filter (where said.became = 'parked') as parked, count(*) filter (where said.became = 'coming') as coming
    from (
        select case
            when work_item.state = 'done' and work_item.outcome in ('refused', 'stale', 'dropped') then 'refused'
            when work_item.state = 'done' then 'applied'
            when work_item.state = 'parked' then 'parked'
            else 'coming'
        end as became
        from work_item
        where work_item.batch = batch.id
        offset 0
    ) as said
) as counted
where batch.id = $1
