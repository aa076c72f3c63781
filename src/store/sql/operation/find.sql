-- Finds a write by its number, as list.sql does, be it in doubt or not.
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
where operation.number = $1
