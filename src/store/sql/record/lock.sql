-- Locks a record while what a look decided, or wrote, is recorded; gives the version that it has now.
select version
from record
where entity = $1 and id = $2
for no key update
