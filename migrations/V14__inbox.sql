-- The inbox of conflicts: which are alike, and many decided at once.

-- The names of the sources that contend, each once, sorted, with commas between. A contender is written down with its sources first, and
-- only that beginning is read: what follows may hold what PostgreSQL makes no text of, \u0000 and lone surrogates.
create function contending_sources(contenders json) returns text language sql immutable strict parallel safe as $$
    select coalesce(string_agg(distinct named.source, ',' order by named.source), '')
    from json_array_elements(contenders) as contender (written)
    cross join lateral json_array_elements_text(substring(contender.written::text from '^\s*{\s*"sources"\s*:\s*(\[[^]]*\])')::json)
        as named (source)
$$;

-- Conflicts of an entity are alike where the place, the kind and the contending sources are the same.
alter table conflict
    add column sources text not null generated always as (contending_sources(contenders)) stored,
    add column alike   text not null generated always as
        (md5(encode(path_hash, 'hex') || ' ' || kind || ' ' || contending_sources(contenders))) stored;
create index conflict_inbox on conflict (entity, id) where closed_at is null and id > 0;
-- `alike > ''`, as `id > 0` elsewhere: only statements that say so use it.
create index conflict_alike on conflict (entity, alike, id) where closed_at is null and alike > '';

-- Conflicts that were alike, and that a person has decided at once: by an order for each.
create table batch (
    id       bigint      not null generated always as identity constraint batch_pk primary key,
    -- Of the form that was sent: sent twice, it is one batch.
    form     uuid        not null constraint batch_form unique,
    entity   text        not null,
    path     json        not null,
    kind     text        not null,
    sources  text        not null,
    decision json        not null,
    -- How many orders it has.
    orders   bigint      not null,
    at       timestamptz not null default clock_timestamp()
);
create index batch_at on batch (at);

-- The batch of an order.
alter table work_item add column batch bigint;
create index work_item_batch on work_item (batch, id) where batch is not null;
