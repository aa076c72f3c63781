-- Tells since when a source is paused, or an entity, whose source is ''.
select at
from pause
where entity = $1 and source = $2
