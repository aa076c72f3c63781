-- Lists the deletions that wait for a person by number, of one entity or of all.
select id, entity, record, source, foreign_key, held_at
from held_delete
where approved_at is null and id > 0 and id > $1 and ($3::text is null or entity = $3)
order by id
limit $2
