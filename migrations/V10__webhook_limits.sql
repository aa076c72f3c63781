-- Webhooks: of what their signatures may tell, and how often.

alter table webhook
    -- Empty: of everything.
    add column entities text[]  not null default '{}',
    add column sources  text[]  not null default '{}',
    -- Requests a second.
    add column rate     integer not null default 10000 constraint webhook_rate check (rate > 0);
