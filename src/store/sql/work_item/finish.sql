-- Ends running items as done, and with them the parked ones of the same records: what those waited for has been done.
with ended as (
    update work_item
    set state = 'done', outcome = $3, last_error = null, finished_at = clock_timestamp()
    where entity = $1 and id = any ($2) and state = 'running'
    returning record
),
parked as (
    select waiting.id
    from ended
    cross join lateral (
        select work_item.id
        from work_item
        where work_item.entity = $1 and work_item.record = ended.record and work_item.state = 'parked'
          and work_item.id > 0 and work_item.command is null
        offset 0
    ) as waiting
    union
    select waiting.id
    from ended
    cross join lateral (
        select foreign_key.source, foreign_key.key
        from foreign_key
        where foreign_key.entity = $1 and foreign_key.record = ended.record
          and foreign_key.state in ('current', 'former')
        offset 0
    ) as named
    cross join lateral (
        select work_item.id
        from work_item
        where work_item.entity = $1 and work_item.source = named.source and work_item.foreign_key = named.key
          and work_item.subject = 'copy' and work_item.state = 'parked'
        offset 0
    ) as waiting
)
update work_item
set state = 'done', outcome = $3, last_error = null, finished_at = clock_timestamp()
where id = any (array(select id from parked)) and state = 'parked'
