-- Puts running items back, those of $2 under the claims of $3, as $4 (ready, waiting or parked), due in $5 microseconds, or when a source
-- of $6 is released. An item whose subject has another that waits ends as coalesced into that one. The item of a copy that is gone becomes
-- one of its record. What is held by the write $9 waits until it is settled if that is in doubt; it is due at once if it is settled by now.
with holding as materialized (
    select state
    from operation
    where number = $9 and state in ('in-flight', 'open', 'in-doubt')
),
running as materialized (
    select work_item.id, work_item.source, work_item.foreign_key, work_item.record,
           work_item.command is not null as ordered,
           case
               when work_item.subject = 'copy' and work_item.record is not null and not exists (
                   select
                   from foreign_key
                   where foreign_key.entity = work_item.entity and foreign_key.source = work_item.source
                     and foreign_key.key = work_item.foreign_key and foreign_key.record = work_item.record
                     and foreign_key.state in ('current', 'former')
               ) then 'record'
               else work_item.subject
           end as subject,
           case
               when $4 = 'parked' then clock_timestamp()
               when $6::text[] <> '{}' then 'infinity'
               when (select count(*) from holding where state = 'in-doubt') > 0 then 'infinity'
               when $9::bigint is not null and (select count(*) from holding) = 0 then clock_timestamp()
               else clock_timestamp() + $5::bigint * interval '1 microsecond'
           end as due_at
    from unnest($2::bigint[], $3::bigint[]) as claimed (id, claim)
    join work_item on work_item.id = claimed.id and work_item.claims = claimed.claim
    where work_item.entity = $1 and work_item.state = 'running'
    order by work_item.id
    for update of work_item
),
first as (
    select id, source, foreign_key, record, ordered, subject, due_at,
           min(id) over (
               partition by subject, case when ordered then id end, case subject when 'record' then record end,
                            case subject when 'copy' then source end, case subject when 'copy' then foreign_key end
           ) as first_id
    from running
),
placed as materialized (
    select first.id, first.subject, first.due_at, coalesce(copy.id, record.id) as other,
           coalesce(copy.id, record.id, nullif(first.first_id, first.id)) as target
    from first
    left join lateral (
        select work_item.id
        from work_item
        where work_item.entity = $1 and work_item.source = first.source and work_item.foreign_key = first.foreign_key
          and work_item.subject = 'copy' and work_item.state in ('ready', 'waiting', 'parked')
        offset 0
    ) as copy on first.subject = 'copy'
    left join lateral (
        select work_item.id
        from work_item
        where work_item.entity = $1 and work_item.record = first.record and work_item.subject = 'record'
          and work_item.command is null and work_item.state in ('ready', 'waiting', 'parked')
        offset 0
    ) as record on first.subject = 'record' and not first.ordered
),
others as materialized (
    -- In the order in which notifications lock them, so that neither waits for the other for ever.
    select work_item.id
    from work_item
    where work_item.id = any (array(select other from placed)) and $4 <> 'parked'
    order by work_item.source collate "C", work_item.foreign_key collate "C", work_item.record, work_item.id
    for update
),
hastened as (
    update work_item
    set state = case work_item.state when 'parked' then $4 else work_item.state end,
        due_at = least(work_item.due_at, placed.due_at),
        blocked_by = case when least(work_item.due_at, placed.due_at) < 'infinity' then '{}' else work_item.blocked_by end,
        held_by = case when placed.due_at < work_item.due_at then null else work_item.held_by end
    from placed
    where work_item.id = placed.other and work_item.id = any (array(select id from others))
)
update work_item
set subject = placed.subject,
    state = case when placed.target is null then $4 else 'done' end,
    outcome = case when placed.target is null then work_item.outcome else 'coalesced' end,
    coalesced_into = placed.target,
    finished_at = case when placed.target is null then null else clock_timestamp() end,
    attempts = work_item.attempts + $7,
    last_error = $8,
    due_at = placed.due_at,
    -- $10: a limit has parked it.
    consent = case when $10 then 'asked' when work_item.consent = 'given' then 'given' end,
    blocked_by = case when placed.target is null and $4 <> 'parked' then $6 else '{}' end,
    held_by = case when placed.target is null and $4 <> 'parked' then $9 end
from placed
where work_item.id = placed.id and work_item.id = any ($2)
