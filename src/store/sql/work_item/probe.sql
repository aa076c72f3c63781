-- Makes one item due that waits for a source, by chance: were it always the same one, and the source failed at its copy alone, all
-- others would wait for ever. It is the first one from a number on that is drawn, so that not all need be read; from the beginning on, if
-- none follows. Rows are compared, so that no other index than that of what is blocked can be read in this order.
with bounds as materialized (
    select (
               select id
               from work_item
               where entity = $1 and blocked_by <> '{}'
               order by id
               limit 1
           ) as first,
           (
               select id
               from work_item
               where entity = $1 and blocked_by <> '{}'
               order by id desc
               limit 1
           ) as last
),
drawn as materialized (
    select first + floor(random() * (last - first + 1))::bigint as id
    from bounds
),
following as (
    select blocked.id
    from (
        select work_item.id, work_item.blocked_by
        from work_item
        where work_item.blocked_by <> '{}' and (work_item.entity, work_item.id) >= ($1, (select drawn.id from drawn))
          and (work_item.entity, work_item.id) <= ($1, (select bounds.last from bounds))
        order by work_item.entity, work_item.id
        offset 0
    ) as blocked
    where $2 = any (blocked.blocked_by)
    limit 1
),
preceding as (
    select blocked.id
    from (
        select work_item.id, work_item.blocked_by
        from work_item
        where work_item.blocked_by <> '{}' and (work_item.entity, work_item.id) >= ($1, (select bounds.first from bounds))
          and (work_item.entity, work_item.id) < ($1, (select drawn.id from drawn))
        order by work_item.entity, work_item.id
        offset 0
    ) as blocked
    where $2 = any (blocked.blocked_by)
    limit 1
)
update work_item
set due_at = clock_timestamp(), blocked_by = '{}'
where id = coalesce((select following.id from following), (select preceding.id from preceding))
  and $2 = any (blocked_by)
