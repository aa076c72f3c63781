-- Lists the latest of the open conflicts, of all entities, each with the beginning of what is agreed of its record.
select id, entity, record, path, kind, opened_at,
       (
           select left(record.agreed::text, 2000)
           from record
           where record.entity = conflict.entity and record.id = conflict.record
       ) as beginning
from conflict
where closed_at is null and id > 0 and id < $1
order by id desc
limit $2
