-- Stores a batch of orders, each for the record of a conflict. They come in turn with other work: a person's single order comes first.
insert into work_item (entity, subject, record, command, batch)
select shown.entity, 'record', shown.record, asked.command, $4
from unnest($2::bigint[], $3::json[]) as asked (conflict, command)
join (
    select conflict.id, conflict.entity, conflict.record
    from conflict
    where conflict.id = any ($2)
    offset 0
) as shown on shown.id = asked.conflict
where shown.entity = $1
order by shown.id
