-- Lists what is claimed of an entity, so that it can be put back.
select id
from work_item
where entity = $1 and state = 'running'
