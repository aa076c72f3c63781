-- Lists what is claimed of an entity, but for the items $2 of looks under way, so that it can be put back.
select id
from work_item
where entity = $1 and state = 'running' and id <> all ($2)
