-- Records by which rules the match values of an entity are made; empty while that is under way.
insert into entity (name, match_rules)
values ($1, $2)
on conflict (name) do update set match_rules = excluded.match_rules
