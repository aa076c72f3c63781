-- Claims the looks of an entity that are longest due, $2 at most, with all waiting items of each, and tells when the next is
-- due. Runs under the entity's lock. Links, open operations and running items are read in one state of the database.
with running as materialized (
    select source, foreign_key, record
    from work_item
    where entity = $1 and state = 'running'
),
flight as materialized (
    -- What may be making copies now whose keys nobody knows yet: at each source the first.
    select distinct on (source) source, created_at as since, number
    from operation
    where entity = $1 and state = 'in-flight' and kind <> 'delete'
    order by source, created_at
),
candidate as materialized (
    -- Here as elsewhere, `offset 0` and arrays of keys keep the plan as it is written, by index, however small the tables were
    -- when it was made. In `due` they keep the index's order, too, so that the limit ends the search early.
    select due.id, due.due_at, due.command is not null as ordered, due.record,
           case when due.record is null then due.source end as source,
           case when due.record is null then due.foreign_key end as foreign_key
    from (
        select work_item.id, work_item.due_at, work_item.command, work_item.source, work_item.foreign_key,
               work_item.asked_at,
               case work_item.subject
                   when 'record' then work_item.record
                   else (
                       select foreign_key.record
                       from foreign_key
                       where foreign_key.entity = work_item.entity and foreign_key.source = work_item.source
                         and foreign_key.key = work_item.foreign_key and foreign_key.state in ('current', 'former')
                   )
               end as record
        from work_item
        where work_item.entity = $1 and work_item.state in ('ready', 'waiting')
          and work_item.id > 0 and work_item.due_at <= statement_timestamp()
        order by work_item.due_at, work_item.id
        offset 0
    ) as due
    where (select count(*) from running where running.record = due.record) = 0
      and (select count(*) from running where running.source = due.source and running.foreign_key = due.foreign_key) = 0
      and case
          when due.record is not null then true
          else not exists (
              select
              from flight
              where flight.source = due.source and flight.since <= due.asked_at
          )
      end
    order by due.due_at, due.id
    limit $2::bigint * 4 + 1
),
chosen as materialized (
    select row_number() over (order by due_at, id) as place, id, ordered, record, source, foreign_key
    from (
        select distinct on (record, source, foreign_key) id, due_at, ordered, record, source, foreign_key
        from candidate
        order by record, source, foreign_key, due_at, id
    ) as subject
    order by due_at, id
    limit $2
),
member as materialized (
    -- An order comes alone, and a key that is not known has one item.
    select chosen.place, chosen.record, chosen.id
    from chosen
    where chosen.ordered or chosen.record is null
    union all
    select chosen.place, chosen.record, waiting.id
    from chosen
    cross join lateral (
        select work_item.id
        from work_item
        where work_item.entity = $1 and work_item.record = chosen.record and work_item.subject = 'record'
          and work_item.command is null and work_item.state in ('ready', 'waiting')
        offset 0
    ) as waiting
    where not chosen.ordered
    union all
    select chosen.place, chosen.record, waiting.id
    from chosen
    cross join lateral (
        select foreign_key.source, foreign_key.key
        from foreign_key
        where foreign_key.entity = $1 and foreign_key.record = chosen.record
          and foreign_key.state in ('current', 'former')
        offset 0
    ) as named
    cross join lateral (
        select work_item.id
        from work_item
        where work_item.entity = $1 and work_item.source = named.source and work_item.foreign_key = named.key
          and work_item.subject = 'copy' and work_item.state in ('ready', 'waiting')
        offset 0
    ) as waiting
    where not chosen.ordered
      and not exists (
          select
          from running
          where running.source = named.source and running.foreign_key = named.key
      )
),
locked as materialized (
    -- In the order in which notifications lock them, so that neither waits for the other for ever.
    select member.place, member.record, work_item.id
    from member
    join work_item on work_item.id = member.id
    where work_item.id = any (array(select id from member)) and work_item.state in ('ready', 'waiting')
    order by work_item.source collate "C", work_item.foreign_key collate "C", work_item.record, work_item.id
    for update of work_item
),
claimed as (
    update work_item
    set state = 'running', claims = work_item.claims + 1, record = locked.record, blocked_by = '{}', held_by = null
    from locked
    where work_item.id = locked.id and work_item.id = any (array(select id from locked))
    returning locked.place, work_item.id, work_item.claims, work_item.record, work_item.source, work_item.foreign_key,
              work_item.attempts, work_item.command, coalesce(work_item.consent = 'given', false) as consents
),
reached as materialized (
    -- How far the search has come. Many may be due at one moment: so it is told with the number.
    select case when count(*) > $2::bigint * 4 then max(candidate.due_at) else statement_timestamp() end as due_at,
           case
               when count(*) > $2::bigint * 4 then (array_agg(candidate.id order by candidate.due_at desc, candidate.id desc))[1]
               else 9223372036854775807
           end as id
    from candidate
),
passed as materialized (
    -- What was passed over for a write in flight.
    select due.id
    from (
        select work_item.id, work_item.source, work_item.foreign_key, work_item.asked_at
        from work_item
        where work_item.entity = $1 and work_item.state in ('ready', 'waiting') and work_item.id > 0
          and (work_item.due_at, work_item.id) <= ((select due_at from reached), (select id from reached))
          and work_item.subject = 'copy' and (select count(*) from flight) > 0
        offset 0
    ) as due
    join flight on flight.source = due.source and flight.since <= due.asked_at
    where (
        select count(*)
        from foreign_key
        where foreign_key.entity = $1 and foreign_key.source = due.source and foreign_key.key = due.foreign_key
          and foreign_key.state in ('current', 'former')
    ) = 0
),
movable as materialized (
    select work_item.id
    from work_item
    where work_item.id = any (array(select id from passed)) and work_item.state in ('ready', 'waiting')
    for update skip locked
),
aside as (
    -- It is not passed over again at every claim: the end of the write makes it due. Only if that was missed because it came
    -- at this very moment, time does.
    update work_item
    set due_at = statement_timestamp() + interval '10 seconds',
        held_by = (select flight.number from flight where flight.source = work_item.source)
    where work_item.id = any (array(select id from movable))
),
next as (
    select case
        when (select count(*) from candidate) > $2::bigint * 4 or exists (
            select
            from candidate
            where not exists (
                select
                from chosen
                where (chosen.record, chosen.source, chosen.foreign_key)
                    is not distinct from (candidate.record, candidate.source, candidate.foreign_key)
            )
        ) then 0
        else (
            select ceil(extract(epoch from work_item.due_at - statement_timestamp()) * 1000000)
            from work_item
            where work_item.entity = $1 and work_item.state in ('ready', 'waiting') and work_item.id > 0
              and work_item.due_at > statement_timestamp() and work_item.due_at < 'infinity'
              and work_item.id not in (select member.id from member)
            order by work_item.due_at
            limit 1
        )
    end::bigint as due_in
)
select next.due_in, claimed.place, claimed.id, claimed.claims, claimed.record, claimed.source, claimed.foreign_key,
       claimed.attempts, claimed.command, claimed.consents
from next
left join claimed on true
order by claimed.place, claimed.id
