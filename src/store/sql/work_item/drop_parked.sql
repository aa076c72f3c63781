-- Ends parked items as dropped, as list_narrowed.sql lists them, up to the number $1 and so many at most.
with chosen as materialized (
    select found.id
    from work_item as found
    where found.id = any (array(
        select listed.id
        from work_item as listed
        where listed.state = 'parked' and listed.state <> 'done' and listed.id > 0 and listed.id <= $1
        order by listed.id
        limit $6
    ))
      and found.state = 'parked'
      and ($2::text is null or found.entity = $2)
      and ($3::text is null or found.source = $3 or $3 = any (found.blocked_by))
      and ($4::text is null or position($4 in found.last_error) > 0)
    order by found.id
    limit $5
    for update
),
handled as (
    update work_item
    set state = 'done', outcome = 'dropped', blocked_by = '{}', held_by = null, finished_at = clock_timestamp()
    where work_item.id = any (array(select chosen.id from chosen))
    returning work_item.entity
)
select handled.entity, count(*) as items
from handled
group by handled.entity
order by handled.entity
