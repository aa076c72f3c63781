-- Lists what contends, and ever did, in the open conflicts of an entity.
select id, contenders, contended
from conflict
where entity = $1 and closed_at is null and id > 0
