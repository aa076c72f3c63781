-- Finds what is known of a record itself, and tells the time.
select state, version, agreed, clock_timestamp() as now
from record
where entity = $1 and id = $2
