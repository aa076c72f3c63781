-- Limits: what counts against `max_deletes` and `max_changes`, and the deletions that are held for a person.

-- Removals that were accepted because a source said that its copy does not exist. Kept as long as the limit looks back.
create table counted_removal (
    id     bigint      not null generated always as identity constraint counted_removal_pk primary key,
    entity text        not null,
    record bigint      not null,
    at     timestamptz not null default clock_timestamp()
);
create index counted_removal_at on counted_removal (entity, at);

-- Looks in which a change of a source's own was accepted, one for each source and look.
create table counted_change (
    id     bigint      not null generated always as identity constraint counted_change_pk primary key,
    entity text        not null,
    source text        not null,
    record bigint      not null,
    at     timestamptz not null default clock_timestamp()
);
create index counted_change_at on counted_change (entity, source, at);

-- Copies that are missing and whose deletion is held, until one of these is over: the absence, or the person's hesitation.
create table held_delete (
    id          bigint      not null generated always as identity constraint held_delete_pk primary key,
    entity      text        not null,
    record      bigint      not null,
    source      text        not null,
    foreign_key text        not null,
    held_at     timestamptz not null default clock_timestamp(),
    -- A person has said that it may be carried out, if the copy is still missing.
    approved_at timestamptz,
    -- A look at it is asked for, because other copies of this source show again.
    is_asked    boolean     not null default false,
    constraint held_delete_record foreign key (entity, record) references record (entity, id) on delete cascade
);
-- A copy has one.
create unique index held_delete_copy on held_delete (entity, source, record);
create index held_delete_waiting on held_delete (id) include (entity) where approved_at is null and id > 0;
create index held_delete_unasked on held_delete (entity, source) where approved_at is null and not is_asked;

-- asked: a limit has parked it, and to try it again is a person's consent. given: the next decision about it may pass the limit.
alter table work_item
    add column consent text constraint work_item_consent check (consent in ('asked', 'given'));
