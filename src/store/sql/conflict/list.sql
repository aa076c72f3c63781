-- Lists open conflicts by number, of one entity or of all.
select id, revision, entity, record, path, kind, agreed, contenders, opened_at, false as closed
from conflict
where closed_at is null and id > 0 and id > $1 and ($3::text is null or entity = $3)
order by id
limit $2
