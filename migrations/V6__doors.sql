-- The doors of the API: what is paused, whose webhooks are taken, and requests that may be repeated.

-- What a person has stopped for the time being. The source '' is the entity itself.
create table pause (
    entity text        not null,
    source text        not null,
    at     timestamptz not null default clock_timestamp(),
    constraint pause_pk primary key (entity, source)
);

-- Those who sign their notifications (Standard Webhooks). To check a signature takes the secret itself.
create table webhook (
    id          bigint      not null generated always as identity constraint webhook_id unique,
    name        text        not null constraint webhook_pk primary key,
    secret      bytea       not null constraint webhook_secret check (length(secret) between 24 and 64),
    -- The one before, for as long as it is still good.
    former      bytea,
    former_till timestamptz,
    created_at  timestamptz not null default clock_timestamp(),
    constraint webhook_former check ((former is null) = (former_till is null))
);

-- Messages that were taken, for as long as somebody could send them once more.
create table webhook_message (
    webhook text        not null,
    id      text        not null,
    -- As signed; a sender who tries again signs anew.
    sent_at timestamptz not null,
    at      timestamptz not null default clock_timestamp(),
    constraint webhook_message_pk primary key (webhook, id, sent_at)
);
create index webhook_message_at on webhook_message (at);

-- Requests that came with an Idempotency-Key, and what they were answered.
create table repeatable (
    caller      text        not null,
    key         text        not null,
    -- Of the method, the path and the body.
    fingerprint bytea       not null constraint repeatable_fingerprint check (length(fingerprint) = 32),
    began_at    timestamptz not null default clock_timestamp(),
    -- Nothing as long as it is under way, or if the daemon died with it.
    status      smallint,
    media       text,
    body        bytea,
    constraint repeatable_pk primary key (caller, key)
);
create index repeatable_began_at on repeatable (began_at);
