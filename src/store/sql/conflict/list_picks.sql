-- Names open conflicts of an entity that are alike, by number.
select id, revision, record
from conflict
where entity = $1 and alike = $2 and closed_at is null and alike > ''
order by id
limit $3
