-- Lists open conflicts of an entity that are alike, by number.
select id, revision, entity, record, path, kind, agreed, contenders, opened_at, false as closed, changed_at, sources, alike
from conflict
where entity = $1 and alike = $4 and closed_at is null and alike > '' and id > $2
order by id
limit $3
