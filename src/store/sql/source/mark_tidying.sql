-- Records that sources have stored something other than what they were sent.
insert into source (entity, name, tidies)
select $1, tidying.name, true
from unnest($2::text[]) as tidying (name)
order by tidying.name
on conflict (entity, name) do update set tidies = true
where not source.tidies
