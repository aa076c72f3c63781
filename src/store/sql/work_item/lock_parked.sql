-- Locks parked items as list_narrowed.sql lists them, up to the number $1 and so many at most: in the order in which notifications lock
-- them, so that neither waits for the other for ever.
with chosen as materialized (
    select found.id
    from work_item as found
    where found.id = any (array(
        select listed.id
        from work_item as listed
        where listed.state = 'parked' and listed.state <> 'done' and listed.id > 0 and listed.id <= $1
        order by listed.id
        limit $6
    ))
      and found.state = 'parked'
      and ($2::text is null or found.entity = $2)
      and ($3::text is null or found.source = $3 or $3 = any (found.blocked_by))
      and ($4::text is null or position($4 in found.last_error) > 0)
    order by found.id
    limit $5
)
select work_item.id
from work_item
where work_item.id = any (array(select chosen.id from chosen)) and work_item.state = 'parked'
order by work_item.entity collate "C", work_item.source collate "C", work_item.foreign_key collate "C", work_item.record, work_item.id
for update
