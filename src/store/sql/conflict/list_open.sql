-- Lists a record's open conflicts.
select id as conflict, revision, path, kind, agreed, contenders, contended
from conflict
where entity = $1 and record = $2 and closed_at is null
order by id
