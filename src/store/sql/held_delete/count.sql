-- Counts the deletions of an entity that wait for a person, and names the last one.
select count(*) as deletes, coalesce(max(id), 0) as last
from held_delete
where entity = $1 and approved_at is null and id > 0
