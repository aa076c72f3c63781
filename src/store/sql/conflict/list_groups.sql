-- Lists what conflicts of an entity are alike: the $2 largest groups, counted among the first hundred thousand, each with its first one.
select counted.alike, counted.conflicts, first.id, first.path, first.kind, first.sources, first.opened_at
from (
    select open.alike, count(*) as conflicts, min(open.id) as first
    from (
        select alike, id
        from conflict
        where entity = $1 and closed_at is null and alike > ''
        order by alike, id
        limit 100000
    ) as open
    group by open.alike
    having count(*) > 1
    order by count(*) desc, min(open.id)
    limit $2
) as counted
cross join lateral (
    select conflict.id, conflict.path, conflict.kind, conflict.sources, conflict.opened_at
    from conflict
    where conflict.id = counted.first
) as first
order by counted.conflicts desc, first.id
