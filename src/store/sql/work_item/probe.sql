-- Makes one item due that waits for a source, by chance: were it always the same one, and the source failed at its copy alone, all
-- others would wait for ever. It is the first one from a number on that is drawn, so that not all need be read; from the beginning on, if
-- none follows.
with bounds as materialized (
    select min(id) as first, max(id) as last
    from work_item
    where entity = $1 and blocked_by <> '{}'
),
drawn as materialized (
    select first + floor(random() * (last - first + 1))::bigint as id
    from bounds
),
following as (
    select blocked.id
    from (
        select work_item.id
        from work_item
        where work_item.entity = $1 and work_item.blocked_by <> '{}' and work_item.id >= (select drawn.id from drawn)
        order by work_item.id
        offset 0
    ) as blocked
    where exists (select from work_item where work_item.id = blocked.id and $2 = any (work_item.blocked_by) offset 0)
    limit 1
),
preceding as (
    select blocked.id
    from (
        select work_item.id
        from work_item
        where work_item.entity = $1 and work_item.blocked_by <> '{}'
        order by work_item.id
        offset 0
    ) as blocked
    where exists (select from work_item where work_item.id = blocked.id and $2 = any (work_item.blocked_by) offset 0)
    limit 1
)
update work_item
set due_at = clock_timestamp(), blocked_by = '{}'
where id = coalesce((select following.id from following), (select preceding.id from preceding))
  and $2 = any (blocked_by)
