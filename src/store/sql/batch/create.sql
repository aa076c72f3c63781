-- Enters a batch of orders; not again if its form was sent before.
insert into batch (form, entity, path, kind, sources, decision, orders)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (form) do nothing
returning id
