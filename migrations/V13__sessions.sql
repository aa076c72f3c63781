-- The pages: who is signed in.

-- One row for each browser that signed in with a token, and ends with it. What the browser holds is nowhere; it is known by its
-- hash.
create table session (
    hash         bytea       not null constraint session_pk primary key constraint session_hash_length check (length(hash) = 32),
    token        bigint      not null constraint session_token references token (id) on delete cascade,
    created_at   timestamptz not null default clock_timestamp(),
    -- When somebody did something in it last, to the minute.
    last_seen_at timestamptz not null default clock_timestamp(),
    expires_at   timestamptz not null
);
create index session_of_token on session (token);
