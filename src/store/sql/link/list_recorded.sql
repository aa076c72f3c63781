-- Tells when something of each copy of a record was last recorded.
select source, recorded_at
from link
where entity = $1 and record = $2
