-- Ends running items as done, and with them the parked ones of the same records: what those waited for has been done.
with ended as (
    update work_item
    set state = 'done', outcome = $3, last_error = null, finished_at = clock_timestamp()
    where entity = $1 and id = any ($2) and state = 'running'
    returning record
),
parked as (
    select work_item.id
    from ended
    join work_item on work_item.entity = $1 and work_item.record = ended.record
    where work_item.state = 'parked' and work_item.command is null
    union
    select work_item.id
    from ended
    join foreign_key on foreign_key.entity = $1 and foreign_key.record = ended.record
    join work_item on work_item.entity = $1 and work_item.source = foreign_key.source
        and work_item.foreign_key = foreign_key.key
    where foreign_key.state in ('current', 'former') and work_item.subject = 'copy' and work_item.state = 'parked'
)
update work_item
set state = 'done', outcome = $3, last_error = null, finished_at = clock_timestamp()
from parked
where work_item.id = parked.id and work_item.state = 'parked'
