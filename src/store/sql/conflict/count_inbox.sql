-- Counts the open conflicts of each entity that has any, a million in all at most, and tells since when the oldest is open.
select counted.entity, counted.conflicts, oldest.opened_at
from (
    select open.entity, count(*) as conflicts, min(open.id) as first
    from (
        select entity, id
        from conflict
        where closed_at is null and id > 0
        limit 1000000
    ) as open
    group by open.entity
) as counted
cross join lateral (
    select conflict.opened_at
    from conflict
    where conflict.id = counted.first
) as oldest
order by counted.entity
