-- Lists a record's history from a version on downwards, the latest first.
select version, at, cause, changes, conflicts, overruled, state
from version
where entity = $1 and record = $2 and version < $3
order by version desc
limit $4
