-- Which daemon serves which entity. Every time is of this database's clock.

-- The daemons that share the database. One whose time is over, and some more, is dead: whoever finds it so removes its row.
create table daemon (
    id          uuid        not null constraint daemon_pk primary key,
    -- Its host and process, for people.
    name        text        not null,
    started_at  timestamptz not null default clock_timestamp(),
    alive_until timestamptz not null
);

-- Who serves an entity. A holder without a row in `daemon` holds nothing.
create table lease (
    entity text   not null constraint lease_pk primary key,
    -- The fencing number: grows with every change of the holder, and what is recorded under a lower one is refused.
    fence  bigint not null,
    holder uuid
);
create index lease_of_holder on lease (holder);
