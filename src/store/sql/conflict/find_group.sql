-- Finds what conflicts are alike, with their number, a hundred thousand at most, and the first of them.
select $2::text as alike, counted.conflicts, first.id, first.path, first.kind, first.sources, first.opened_at
from (
    select count(*) as conflicts, min(open.id) as first
    from (
        select conflict.id
        from conflict
        where conflict.entity = $1 and conflict.alike = $2 and conflict.closed_at is null and conflict.alike > ''
        limit 100000
    ) as open
) as counted
cross join lateral (
    select conflict.id, conflict.path, conflict.kind, conflict.sources, conflict.opened_at
    from conflict
    where conflict.id = counted.first
) as first
