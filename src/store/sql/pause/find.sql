-- Tells since when a source is paused, or an entity, whose source is '', and by whom.
select at, who
from pause
where entity = $1 and source = $2
