-- Locks what waits and is changed where the items $2 are put back and the writes $3 have moved: what waits for these, and the items into
-- which those of $2 may go. All of it at once and in the order in which notifications lock them, so that neither waits for the other for
-- ever.
with held as materialized (
    select work_item.id
    from work_item
    where work_item.held_by = any (array(select number from operation where id = any ($3)))
      and work_item.held_by is not null
),
other as materialized (
    select copy.id as copy, record.id as record
    from work_item as item
    left join lateral (
        select work_item.id
        from work_item
        where work_item.entity = $1 and work_item.source = item.source and work_item.foreign_key = item.foreign_key
          and work_item.subject = 'copy' and work_item.state in ('ready', 'waiting', 'parked')
        offset 0
    ) as copy on true
    left join lateral (
        select work_item.id
        from work_item
        where work_item.entity = $1 and work_item.record = item.record and work_item.subject = 'record'
          and work_item.command is null and work_item.state in ('ready', 'waiting', 'parked')
        offset 0
    ) as record on true
    where item.entity = $1 and item.id = any ($2)
)
select work_item.id
from work_item
where work_item.id = any (array(select id from held union select copy from other union select record from other))
order by work_item.source collate "C", work_item.foreign_key collate "C", work_item.record, work_item.id
for update
