-- Makes a webhook; gives nothing if there is one of this name.
insert into webhook (name, secret, entities, sources, rate)
values ($1, $2, $3, $4, $5)
on conflict (name) do nothing
returning id, name, entities, sources, rate, created_at, former_till
