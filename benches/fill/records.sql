-- Makes the records FIRST to LAST of the first one, which the daemon has made itself: each row of it is copied, with other numbers and
-- keys in the place of its own. The first one's number is 7777777777, at the source where it was made; at the other one its key is the
-- id of the operation that made it there.
-- Rows that follow from rows, events above all, are copied like the others.
set session_replication_role = replica;
create temporary table made on commit drop as
    select n as record, n::text as number, uuid as made_by
    from generate_series(FIRST::bigint, LAST::bigint) as n
    cross join lateral (select ('01a202ed-afa9-73af-a7e8-' || lpad(to_hex(n), 12, '0'))::uuid as uuid) as ids;
create temporary table first on commit drop as
    select record, id::text as made_by
    from operation
    where record = 1;
insert into record (entity, id, state, version, agreed, created_at, changed_at)
    select entity, made.record, state, version, replace(agreed::text, '7777777777', made.number)::json, created_at, changed_at
    from made, record
    where id = 1;
insert into link (entity, record, source, state, foreign_key, shadow, unknown, ack, owed, in_step)
    select entity, made.record, source, state,
           replace(replace(foreign_key, '7777777777', made.number), first.made_by, made.made_by::text),
           replace(shadow::text, '7777777777', made.number)::json, unknown, replace(ack::text, '7777777777', made.number)::json, owed, in_step
    from made, first, link
    where link.record = 1;
insert into foreign_key (entity, source, key, record, state, changed_at)
    select entity, source, replace(replace(key, '7777777777', made.number), first.made_by, made.made_by::text), made.record, state,
           changed_at
    from made, first, foreign_key
    where foreign_key.record = 1;
insert into match_value (entity, value, record)
    select entity, replace(value, '7777777777', made.number), made.record
    from made, match_value
    where match_value.record = 1;
insert into version (entity, record, version, at, cause, changes, conflicts, overruled, state)
    select entity, made.record, version, at, cause, replace(changes::text, '7777777777', made.number)::json, conflicts, overruled, state
    from made, version
    where version.record = 1;
insert into operation (id, entity, record, source, kind, state, document, carries, version, attempts, may_have_taken_effect, new_key,
                       created_at, ended_at)
    select made.made_by, entity, made.record, source, kind, state, replace(document::text, '7777777777', made.number)::json,
           replace(carries::text, '7777777777', made.number)::json, version, attempts, may_have_taken_effect, made.made_by::text,
           created_at, ended_at
    from made, operation
    where operation.record = 1;
insert into work_item (entity, subject, source, foreign_key, record, state, attempts, due_at, outcome, arrived_at, asked_at,
                       finished_at)
    select entity, subject, source, replace(foreign_key, '7777777777', made.number), made.record, state, attempts, due_at, outcome,
           arrived_at, asked_at, finished_at
    from made, work_item
    where work_item.record = 1;
with told as (
    select at, kind, event.entity, source, made.record, replace(details::text, first.made_by, made.made_by::text)::json as details,
           row_number() over (order by made.record, event.id) as place
    from made, first, event
    where event.record = 1
),
counted as (
    update event_counter
    set last = last + (select count(*) from told)
    returning last - (select count(*) from told) as before
)
insert into event (number, at, kind, entity, source, record, details)
    select counted.before + place, at, kind, entity, source, record, details
    from counted, told
    order by place;
