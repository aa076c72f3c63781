-- Stores what a person has ordered for a record, if there is one. It is due before everything else: the person waits.
insert into work_item (entity, subject, record, command, due_at)
select record.entity, 'record', record.id, $3, '-infinity'
from record
where record.entity = $1 and record.id = $2
returning id, false as coalesced
