-- Records that all records of an entity have the match values that they have by these rules.
insert into entity (name, match_rules)
values ($1, $2)
on conflict (name) do update set match_rules = excluded.match_rules
