-- Finds a conflict, open or closed.
select id, revision, entity, record, path, kind, agreed, contenders, opened_at, closed_at is not null as closed
from conflict
where id = $1
