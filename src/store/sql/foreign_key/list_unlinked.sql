-- Lists those of the given keys of a source that no copy bears or bore: candidates for what a create has made, $4. Those are
-- older of which a notification waits that came before it was recorded.
select asked.key,
       exists (
           select
           from work_item
           where work_item.entity = $1 and work_item.source = $2 and work_item.foreign_key = asked.key
             and work_item.subject = 'copy' and work_item.state in ('ready', 'waiting', 'parked')
             and work_item.arrived_at < (select operation.created_at from operation where operation.id = $4)
       ) as is_older
from unnest($3::text[]) as asked (key)
where not exists (
    select from foreign_key
    where foreign_key.entity = $1 and foreign_key.source = $2 and foreign_key.key = asked.key
      and foreign_key.state <> 'retired'
)
