-- Makes a token good, unless another one has its name.
insert into token (name, hash, role, entities, sources, rate)
values ($1, $2, $3, $4, $5, $6)
on conflict (name) do nothing
returning id, name, hash, role, entities, sources, rate, created_at
