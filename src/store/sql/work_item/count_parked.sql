-- Counts parked items as list_narrowed.sql does, so many at most, and names the last one.
select count(*) as items, coalesce(max(counted.id), 0) as last
from (
    select found.id
    from work_item as found
    where found.id = any (array(
        select listed.id
        from work_item as listed
        where listed.state = 'parked' and listed.state <> 'done' and listed.id > 0 and listed.id > $1
        order by listed.id
        limit $6
    ))
      and ($2::text is null or found.entity = $2)
      and ($3::text is null or found.source = $3 or $3 = any (found.blocked_by))
      and ($4::text is null or position($4 in found.last_error) > 0)
    order by found.id
    limit $5
) as counted
