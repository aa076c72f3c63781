-- What retcon remembers. Documents are `json`, not `jsonb`: jsonb refuses \u0000, expands 1e400 and drops digits' spelling.
-- Pointers are JSON strings in `json` columns, since a member name may hold \u0000.

create table entity (
    name              text   not null constraint entity_pk primary key,
    -- Internal keys have no gaps and records are never removed, so this is also the number of records that ever were.
    last_internal_key bigint not null default 0
);

create table source (
    entity text    not null,
    name   text    not null,
    -- It has once stored something other than what it was sent.
    tidies boolean not null default false,
    constraint source_pk primary key (entity, name)
);

create table record (
    entity     text        not null,
    id         bigint      not null,
    state      text        not null default 'live' constraint record_state check (state in ('live', 'deleted')),
    -- Counts the changes of the agreed document; 0 while nothing was ever agreed.
    version    bigint      not null default 0,
    agreed     json,
    created_at timestamptz not null default clock_timestamp(),
    changed_at timestamptz not null default clock_timestamp(),
    constraint record_pk primary key (entity, id)
);
create index record_deleted on record (entity) where state = 'deleted';

create table link (
    entity        text    not null,
    record        bigint  not null,
    source        text    not null,
    state         text    not null constraint link_state check (state in ('linked', 'unlinked', 'detached')),
    foreign_key   text,
    shadow        json,
    unknown       json    not null default '[]',
    ack           json,
    owed          json    not null default '[]',
    last_reading  json,
    missing_since timestamptz,
    in_step       boolean not null default false,
    last_error    text,
    constraint link_pk primary key (entity, record, source),
    constraint link_record foreign key (entity, record) references record (entity, id) on delete cascade,
    constraint link_key_where_linked check ((state = 'linked') = (foreign_key is not null))
);
-- A copy belongs to one record.
create unique index link_copy on link (entity, source, foreign_key) where state = 'linked';
create index link_of_source on link (entity, source, record) where state = 'linked';

-- Every key a copy has or had, so that a late notification still finds its record.
create table foreign_key (
    entity     text        not null,
    source     text        not null,
    key        text        not null,
    record     bigint      not null,
    -- current: the copy's key. former: the copy has another key now. retired: the copy was deleted.
    state      text        not null constraint foreign_key_state check (state in ('current', 'former', 'retired')),
    -- For a retired key: the document its copy was deleted with.
    document   json,
    changed_at timestamptz not null default clock_timestamp(),
    constraint foreign_key_pk primary key (entity, source, key)
);
create index foreign_key_record on foreign_key (entity, record);

-- A record's value at the `match` pointers, while it is live; unique, so that two copies of one item cannot become two records.
create table match_value (
    entity text   not null,
    value  text   not null,
    record bigint not null,
    constraint match_value_pk primary key (entity, value)
);
create index match_value_record on match_value (entity, record);

create table version (
    entity      text        not null,
    record      bigint      not null,
    version     bigint      not null,
    at          timestamptz not null default clock_timestamp(),
    -- {"kind": "sync" | "resolution" | "undo", ...}
    cause       json        not null,
    -- [{"path", "before"?, "after"?, "sources"}]: a member left out is absence.
    changes     json        not null,
    -- Conflicts that were open when it was made, as merged.
    conflicts   json        not null default '[]',
    overruled   json        not null default '[]',
    state       text        not null,
    constraint version_pk primary key (entity, record, version),
    constraint version_record foreign key (entity, record) references record (entity, id) on delete cascade
);

create table conflict (
    id         bigint      not null generated always as identity constraint conflict_pk primary key,
    entity     text        not null,
    record     bigint      not null,
    path       json        not null,
    -- Of the text of `path`, which has no greatest length, while a row of an index has.
    path_hash  bytea       not null,
    kind       text        not null,
    revision   bigint      not null default 1,
    agreed     json,
    -- [{"sources", "value"} | {"sources", "absent": true}]
    contenders json        not null,
    -- Every contender that ever stood here, in the order in which they came.
    contended  json        not null,
    opened_at  timestamptz not null default clock_timestamp(),
    changed_at timestamptz not null default clock_timestamp(),
    closed_at  timestamptz,
    -- {"kind": "agreement" | "resolution" | ...}
    closed_by  json,
    constraint conflict_record foreign key (entity, record) references record (entity, id) on delete cascade
);
-- One place has one open conflict.
create unique index conflict_open on conflict (entity, record, path_hash) where closed_at is null;
-- `id > 0`, here and below, keeps the planner from taking an index over everything for one thing, while that is still
-- little: only statements that say so use it.
create index conflict_open_by_id on conflict (id) where closed_at is null and id > 0;

create table operation (
    id          uuid        not null constraint operation_pk primary key,
    entity      text        not null,
    record      bigint      not null,
    source      text        not null,
    kind        text        not null constraint operation_kind check (kind in ('create', 'update', 'delete')),
    -- in-flight: its program may run. open: ended without success, the next look decides. in-doubt: no reading can tell.
    -- done: it took effect. superseded: it never will, or another document took its place.
    state       text        not null constraint operation_state
                check (state in ('in-flight', 'open', 'in-doubt', 'done', 'superseded')),
    foreign_key text,
    document    json,
    -- The copy's base if it took effect as sent: {"shadow"?, "unknown", "ack"?, "owed"}.
    carries     json        not null,
    version     bigint      not null,
    attempts    integer     not null default 1,
    may_have_taken_effect boolean not null default true,
    -- The key that its program printed, and what is known of its last end.
    new_key     text,
    last_end    text,
    created_at  timestamptz not null default clock_timestamp(),
    ended_at    timestamptz,
    constraint operation_record foreign key (entity, record) references record (entity, id) on delete cascade
);
create unique index operation_unsettled on operation (entity, record, source) where state in ('in-flight', 'open', 'in-doubt');
-- What may have made a key that nobody knows.
create index operation_by_source on operation (entity, source, state)
    where state in ('in-flight', 'open', 'in-doubt') and kind <> 'delete';

create table work_item (
    id           bigint      not null generated always as identity constraint work_item_pk primary key,
    entity       text        not null,
    -- What is looked at. copy: whatever bears the key by then, be it a record or nothing known. record: the record.
    -- A copy's item becomes one of its record when the copy is gone and something is still owed to the others.
    subject      text        not null constraint work_item_subject check (subject in ('copy', 'record')),
    source       text,
    foreign_key  text,
    -- For a copy: the record that its key named when it was last looked at.
    record       bigint,
    state        text        not null default 'ready' constraint work_item_state
                 check (state in ('ready', 'running', 'waiting', 'parked', 'done')),
    attempts     integer     not null default 0,
    -- 'infinity' while it waits for a source that is down; '-infinity' for an order that is still to be tried: a person waits.
    due_at       timestamptz not null default clock_timestamp(),
    -- The sources that are down and that it waits for.
    blocked_by   text[]      not null default '{}',
    -- {"resolve": {...}} | {"undo": {...}}: what a person has ordered; null once it is decided.
    command      json,
    last_error   text,
    outcome      text,
    -- Where the look that it asked for is made instead, for the outcome 'coalesced'.
    coalesced_into bigint,
    arrived_at   timestamptz not null default clock_timestamp(),
    -- How often this look was asked for, and when for the last time.
    asked        bigint      not null default 1,
    asked_at     timestamptz not null default clock_timestamp(),
    finished_at  timestamptz,
    constraint work_item_named check ((source is null) = (foreign_key is null)
               and case subject when 'copy' then source is not null else record is not null end),
    constraint work_item_finished_when_done check ((state = 'done') = (finished_at is not null)),
    constraint work_item_blocked_is_not_due check (blocked_by = '{}' or due_at = 'infinity')
);
-- One waiting item for each copy, and one for each record; a running one does not count.
create unique index work_item_copy on work_item (entity, source, foreign_key)
    where subject = 'copy' and state in ('ready', 'waiting', 'parked');
create unique index work_item_record on work_item (entity, record)
    where subject = 'record' and command is null and state in ('ready', 'waiting', 'parked');
create index work_item_due on work_item (entity, due_at, id) where state in ('ready', 'waiting') and id > 0;
create index work_item_running on work_item (entity) where state = 'running';
create index work_item_parked on work_item (entity, record) where state = 'parked' and id > 0;
create index work_item_blocked on work_item (entity, id) where blocked_by <> '{}';
create index work_item_unfinished on work_item (state, id) include (entity) where state <> 'done' and id > 0;
create index work_item_finished on work_item (finished_at) where state = 'done';
