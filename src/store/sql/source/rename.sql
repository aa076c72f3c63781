-- Gives what is known of a source itself to its new name.
with former as (
    delete from source
    where entity = $1 and name = $2
    returning tidies
)
insert into source (entity, name, tidies)
select $1, $3, tidies
from former
on conflict (entity, name) do update set tidies = source.tidies or excluded.tidies
