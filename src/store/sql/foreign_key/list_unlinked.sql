-- Lists those of the given keys of a source that no copy bears or bore: candidates for what a create in doubt has made.
select asked.key
from unnest($3::text[]) as asked (key)
where not exists (
    select from foreign_key
    where foreign_key.entity = $1 and foreign_key.source = $2 and foreign_key.key = asked.key
      and foreign_key.state <> 'retired'
)
