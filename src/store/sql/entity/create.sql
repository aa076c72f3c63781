-- Makes the entity's row where there is none yet, so that it can be locked and counted.
insert into entity (name) values ($1)
on conflict (name) do nothing
