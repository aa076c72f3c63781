-- Ends in an error where there is more to be considered of the keys $3 at the sources $2 than that they become records: the entity has no
-- row yet, or a key is known or was, or a write is in flight that may have made the copy for which the items $5 were asked for, of the $4-th
-- key. The entity is locked.
select not_plain()
where not exists (select from entity where name = $1)
   or exists (
       select
       from unnest($2::text[], $3::text[]) as asked (source, key)
       cross join lateral (
           select foreign_key.record
           from foreign_key
           where foreign_key.entity = $1 and foreign_key.source = asked.source and foreign_key.key = asked.key
           offset 0
       ) as known
   )
   or exists (
       select
       from unnest($2::text[]) with ordinality as asked (source, place)
       cross join lateral (
           select coalesce(max(item.asked_at), statement_timestamp()) as at
           from unnest($4::bigint[], $5::bigint[]) as led (place, item)
           cross join lateral (
               select work_item.asked_at
               from work_item
               where work_item.id = led.item
               offset 0
           ) as item
           where led.place = asked.place
       ) as asked_for
       cross join lateral (
           select operation.created_at
           from operation
           where operation.entity = $1 and operation.source = asked.source and operation.state = 'in-flight'
             and operation.kind in ('create', 'update')
           offset 0
       ) as flight
       where flight.created_at <= asked_for.at
   )
