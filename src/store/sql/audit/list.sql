-- Lists what people did, the latest first.
select id, at, who, via, uid, pid, peer, act, target, request, status, code, ended_at
from audit
where id < $1
order by id desc
limit $2
