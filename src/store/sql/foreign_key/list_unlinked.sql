-- Lists those of the given keys of a source that no copy bears or bore: candidates for what a create has made, $4. With $5, also
-- those of which a notification waits. Those are older of which one waits that came before the create was recorded.
with waiting as (
    select work_item.foreign_key as key, work_item.arrived_at
    from work_item
    where work_item.entity = $1 and work_item.source = $2 and work_item.subject = 'copy'
      and work_item.state in ('ready', 'running', 'waiting', 'parked') and work_item.id > 0
)
select asked.key,
       exists (
           select
           from waiting
           where waiting.key = asked.key
             and waiting.arrived_at < (select operation.created_at from operation where operation.id = $4)
       ) as is_older
from (select unnest($3::text[]) union select waiting.key from waiting where $5) as asked (key)
where not exists (
    select from foreign_key
    where foreign_key.entity = $1 and foreign_key.source = $2 and foreign_key.key = asked.key
      and foreign_key.state <> 'retired'
)
