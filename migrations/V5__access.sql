-- Access: the tokens with which the API is used over TCP, and the trail of what people did.

-- A token itself is nowhere; whoever shows one is known by its hash. A revoked one has no row.
create table token (
    id         bigint      not null generated always as identity constraint token_id unique,
    name       text        not null constraint token_pk primary key,
    hash       bytea       not null constraint token_hash unique constraint token_hash_length check (length(hash) = 32),
    role       text        not null constraint token_role check (role in ('notify', 'view', 'operate')),
    -- What a token for notifications is limited to; empty: to nothing.
    entities   text[]      not null,
    sources    text[]      not null,
    -- Requests a second.
    rate       integer     not null constraint token_rate check (rate > 0),
    created_at timestamptz not null default clock_timestamp()
);

-- One row for each act of a person, stored before anything is done, and completed with what came of it.
create table audit (
    id       bigint      not null generated always as identity constraint audit_pk primary key,
    at       timestamptz not null default clock_timestamp(),
    -- The token's name, or the user's at the unix socket.
    who      text        not null,
    via      text        not null constraint audit_via check (via in ('token', 'unix')),
    uid      bigint,
    pid      bigint,
    -- Where the request came from over TCP.
    peer     text,
    act      text        not null,
    -- What it was done to, and the request's body.
    target   text        not null,
    request  text,
    -- Nothing as long as it is not known: under way, or the daemon died with it.
    status   smallint,
    code     text,
    ended_at timestamptz,
    constraint audit_end check ((status is null) = (ended_at is null))
);
