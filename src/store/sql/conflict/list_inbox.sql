-- Lists open conflicts of an entity by number: of one kind ($4), at one place ($5), of one source ($6), or all of them.
select id, revision, entity, record, path, kind, agreed, contenders, opened_at, false as closed, changed_at, sources, alike
from conflict
where entity = $1 and closed_at is null and id > 0 and id > $2 and ($4::text is null or kind = $4)
  and ($5::bytea is null or path_hash = $5) and ($6::text is null or $6 = any (string_to_array(sources, ',')))
order by id
limit $3
