-- Makes a webhook; gives nothing if there is one of this name.
insert into webhook (name, secret)
values ($1, $2)
on conflict (name) do nothing
returning id, name, created_at, former_till
