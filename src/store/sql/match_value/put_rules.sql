-- Records that all records of an entity have the match values that they have by these rules.
insert into match_value (entity, value, record)
values ($1, $2, 0)
on conflict (entity, value) do nothing
