-- Lists what was applied, to compare it with what this version knows.
select number, checksum
from schema_migration
order by number
