-- Lists the sources because of which the deletion of a record waits for a person.
select source
from held_delete
where entity = $1 and record = $2 and source = any ($3) and approved_at is null
