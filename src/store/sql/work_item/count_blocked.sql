-- Counts the items of an entity that wait for a source, among so many at most.
select count(*) filter (where $2 = any (waiting.blocked_by)) as items, count(*) as looked_at
from (
    select blocked_by
    from work_item
    where entity = $1 and blocked_by <> '{}' and id > 0
    limit $3
) as waiting
