-- Lists a record's open conflicts by number, as list_inbox.sql does.
select id, revision, entity, record, path, kind, agreed, contenders, opened_at, false as closed, changed_at, sources, alike
from conflict
where closed_at is null and id > $2 and entity = $1 and record = $4
order by id
limit $3
