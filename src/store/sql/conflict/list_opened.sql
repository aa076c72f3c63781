-- Lists the conflicts that a record ever had, from a number on downwards.
select id, kind, path, opened_at, closed_at, closed_by
from conflict
where entity = $1 and record = $2 and id < $3
order by id desc
limit $4
