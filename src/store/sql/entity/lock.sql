-- Locks the entity, so that a claim and the introduction of a record never overlap: each sees what the other did. Gives
-- the last internal key that was assigned.
select last_internal_key
from entity
where name = $1
for no key update
