-- Makes items due that wait for writes $1: for one that is no more under way, and for one that has come to be in doubt, where it is
-- looked at when that is settled. What waits for a doubt goes on waiting, for as long as it is one. They are locked in the order in
-- which notifications lock them, so that neither waits for the other for ever.
with held as materialized (
    select work_item.id
    from work_item
    where work_item.held_by = any (array(
        select number
        from operation
        where id = any ($1) and state <> 'in-flight'
    ))
      and work_item.held_by is not null and work_item.state in ('ready', 'waiting')
      and (work_item.due_at < 'infinity' or exists (
          select
          from operation
          where operation.number = work_item.held_by and operation.state <> 'in-doubt'
      ))
    order by work_item.source collate "C", work_item.foreign_key collate "C", work_item.record, work_item.id
    for update of work_item
)
update work_item
set due_at = clock_timestamp(), held_by = null
where id = any (array(select id from held))
