-- Gives a match value to a new record, unless another has it by now: then no row is given.
insert into match_value (entity, value, record)
values ($1, $2, $3)
on conflict (entity, value) do nothing
returning record
