-- Lists a record's open conflicts by number, as list.sql does.
select id, revision, entity, record, path, kind, agreed, contenders, opened_at, false as closed
from conflict
where closed_at is null and id > $1 and entity = $3 and record = $4
order by id
limit $2
