-- Lists what is paused: entities ('') and sources.
select entity, source
from pause
order by entity, source
