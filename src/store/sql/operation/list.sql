-- Lists what is in doubt by number, of one entity or of all, with the unknown keys that wait for it.
select operation.number, operation.id, operation.entity, operation.record, operation.source, operation.kind,
       operation.foreign_key, operation.document, operation.created_at, operation.attempts, operation.last_end, operation.exit,
       operation.stdout, operation.stderr, operation.state,
       array(
           select held.foreign_key
           from (
               select work_item.id, work_item.state, work_item.foreign_key
               from work_item
               where work_item.held_by = operation.number
               offset 0
           ) as held
           where held.state = 'waiting'
           order by held.id
           limit 100
       ) as waiting
from operation
where operation.state = 'in-doubt' and operation.number > 0 and operation.number > $1
  and ($3::text is null or operation.entity = $3)
order by operation.number
limit $2
