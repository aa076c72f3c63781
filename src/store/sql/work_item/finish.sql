-- Ends running items as done, those of $2, under the claims of $3, with the outcomes of $4, and with them the parked ones of the same
-- records: what those waited for has been done. A parked one that somebody else changes at this moment is looked at, or ended, by that: it
-- is not waited for, since who changes it may wait for this.
with finished as materialized (
    select *
    from unnest($2::bigint[], $3::bigint[], $4::text[]) as finished (id, claim, outcome)
),
ended as (
    update work_item
    set state = 'done', outcome = finished.outcome, last_error = null, finished_at = clock_timestamp()
    from finished
    where work_item.entity = $1 and work_item.id = any ($2) and work_item.id = finished.id
      and work_item.claims = finished.claim and work_item.state = 'running'
    returning work_item.record, finished.outcome
),
parked as (
    select waiting.id, ended.outcome
    from ended
    cross join lateral (
        select work_item.id
        from work_item
        where work_item.entity = $1 and work_item.record = ended.record and work_item.state = 'parked'
          and work_item.id > 0 and work_item.command is null
        offset 0
    ) as waiting
    union all
    select waiting.id, ended.outcome
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
),
free as materialized (
    select work_item.id
    from work_item
    where work_item.id = any (array(select id from parked)) and work_item.state = 'parked'
    for update skip locked
)
update work_item
set state = 'done', outcome = parked.outcome, last_error = null, finished_at = clock_timestamp()
from parked
where work_item.id = any (array(select id from free)) and work_item.id = parked.id
