-- Claims what claim.sql would, where that is simple: of an entity of which nothing is running, and nothing in flight that may be making a
-- copy, the only item that is ready or waits; it is due, asks for a look at a copy, and carries no order. Ends in an error where there is
-- more to be considered. Runs under the entity's lock. (Every item is due by the end of time: that has the first two read by their index.)
with head as materialized (
    select id, due_at, subject, command
    from work_item
    where entity = $1 and state in ('ready', 'waiting') and id > 0 and due_at <= 'infinity'
    order by due_at, id
    limit 2
),
claimed as (
    update work_item
    set state = 'running',
        claims = work_item.claims + 1,
        record = (
            select foreign_key.record
            from foreign_key
            where foreign_key.entity = work_item.entity and foreign_key.source = work_item.source
              and foreign_key.key = work_item.foreign_key and foreign_key.state in ('current', 'former')
        ),
        blocked_by = '{}',
        held_by = null
    where work_item.id = any (array(
            select head.id
            from head
            where head.due_at <= statement_timestamp() and head.subject = 'copy' and head.command is null
        ))
      and work_item.state in ('ready', 'waiting')
      and (select count(*) from head) = 1
      and not exists (select from work_item as running where running.entity = $1 and running.state = 'running')
      and not exists (
          select
          from operation
          where operation.entity = $1 and operation.state = 'in-flight' and operation.kind <> 'delete'
      )
    returning work_item.id, work_item.claims, work_item.record, work_item.source, work_item.foreign_key, work_item.attempts,
              work_item.command, coalesce(work_item.consent = 'given', false) as consents
)
select null::bigint as due_in, 1::bigint as place, claimed.id, claimed.claims, claimed.record, claimed.source,
       claimed.foreign_key, claimed.attempts, claimed.command, claimed.consents
from (select case when (select count(*) from claimed) = 1 then true else not_plain() end as is_plain offset 0) as judged
left join claimed on true
where judged.is_plain
