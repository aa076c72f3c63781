-- Puts a pause on record, of an entity ('') or of one of its sources; one that is there stays as it is.
insert into pause (entity, source, who)
values ($1, $2, $3)
on conflict (entity, source) do nothing
