-- What has happened, for those who follow it. The tables tell of it themselves, in the transaction in which it happens: so no
-- statement forgets it, and nothing is told that was rolled back.

create table event (
    id      bigint      not null generated always as identity constraint event_pk primary key,
    -- Its place among all events, without gaps: given when it is committed already, so that no event ever comes in before one that
    -- was read. Transactions end in another order than that of their ids.
    number  bigint,
    at      timestamptz not null default clock_timestamp(),
    kind    text        not null,
    entity  text,
    source  text,
    record  bigint,
    -- What else there is to say: an object, and nothing out of a document.
    details json        not null default '{}'
);
create unique index event_number on event (number) where number is not null;
create index event_unnumbered on event (id) where number is null;

-- The number that was given last: one row.
create table event_counter (
    name text   not null constraint event_counter_pk primary key,
    last bigint not null default 0
);
insert into event_counter (name) values ('event');

-- How far those have come who read events for the daemons, and which daemon does it now.
create table event_reader (
    name       text        not null constraint event_reader_pk primary key,
    position   bigint      not null,
    holder     uuid,
    held_until timestamptz not null default clock_timestamp()
);

create function tell_version() returns trigger language plpgsql as $$
begin
    insert into event (kind, entity, record, details)
    values ('sync', new.entity, new.record, json_build_object('version', new.version, 'state', new.state));
    return null;
end
$$;
create trigger version_told after insert on version for each row execute function tell_version();

create function tell_conflict() returns trigger language plpgsql as $$
declare
    happened text := case
        when new.closed_at is not null then 'conflict-closed'
        when tg_op = 'UPDATE' then 'conflict-moved'
        else 'conflict'
    end;
begin
    insert into event (kind, entity, record, details)
    values (happened, new.entity, new.record, json_build_object('conflict', new.id, 'revision', new.revision, 'kind', new.kind));
    return null;
end
$$;
create trigger conflict_opened after insert on conflict
    for each row when (new.closed_at is null) execute function tell_conflict();
create trigger conflict_moved after update of revision, closed_at on conflict
    for each row when (old.closed_at is null and (new.closed_at is not null or new.revision > old.revision))
    execute function tell_conflict();

create function tell_operation() returns trigger language plpgsql as $$
begin
    if new.state = 'in-doubt' then
        insert into event (kind, entity, source, record, details)
        values ('in-doubt', new.entity, new.source, new.record, json_build_object('doubt', new.number, 'operation', new.kind));
        return null;
    end if;
    if tg_op = 'UPDATE' and old.state = 'in-doubt' then
        insert into event (kind, entity, source, record, details)
        values ('doubt-settled', new.entity, new.source, new.record,
                json_build_object('doubt', new.number, 'took_effect', new.state = 'done'));
    end if;
    if new.state = 'done' then
        insert into event (kind, entity, source, record, details)
        values ('written', new.entity, new.source, new.record,
                json_build_object('operation', new.kind, 'key', coalesce(new.new_key, new.foreign_key)));
    end if;
    return null;
end
$$;
create trigger operation_told after insert on operation
    for each row when (new.state in ('in-doubt', 'done')) execute function tell_operation();
create trigger operation_moved after update of state on operation
    for each row when (new.state <> old.state and new.state in ('in-doubt', 'done', 'superseded')
                       and (new.state <> 'superseded' or old.state = 'in-doubt'))
    execute function tell_operation();

create function tell_parked() returns trigger language plpgsql as $$
begin
    insert into event (kind, entity, source, record, details)
    values ('parked', new.entity, new.source, new.record,
            json_build_object('work_item', new.id, 'key', new.foreign_key, 'error', new.last_error));
    return null;
end
$$;
create trigger work_item_parked_told after update of state on work_item
    for each row when (new.state = 'parked' and old.state <> 'parked') execute function tell_parked();

-- Deletions are held by the hundred: the first of a source tells of all.
create index held_delete_of_source on held_delete (entity, source) where approved_at is null and record > 0;

create function tell_held() returns trigger language plpgsql as $$
begin
    if exists (
        select
        from held_delete
        where entity = new.entity and source = new.source and approved_at is null and record > 0 and id <> new.id
    ) then
        return null;
    end if;
    insert into event (kind, entity, source, record) values ('deletes-held', new.entity, new.source, new.record);
    return null;
end
$$;
create trigger held_delete_told after insert on held_delete for each row execute function tell_held();
