-- Makes items due that wait for writes $1: for one that is no more under way, and for one that has come to be in doubt, where it is
-- looked at when that is settled. What waits for a doubt goes on waiting, for as long as it is one.
update work_item
set due_at = clock_timestamp(), held_by = null
where held_by = any (array(
    select number
    from operation
    where id = any ($1) and state <> 'in-flight'
))
  and held_by is not null and state in ('ready', 'waiting')
  and (due_at < 'infinity' or exists (
      select
      from operation
      where operation.number = work_item.held_by and operation.state <> 'in-doubt'
  ))
