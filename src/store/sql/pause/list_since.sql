-- Lists what is paused, entities ('') and sources: since when, and by whom.
select entity, source, at, who
from pause
order by entity, source
