-- Lists what people did to some things, from a number on downwards, the latest first.
select done.id, done.at, done.who, done.via, done.uid, done.pid, done.peer, done.act, done.target, done.request, done.status, done.code,
       done.ended_at
from unnest($1::text[]) as wanted (target)
cross join lateral (
    select id, at, who, via, uid, pid, peer, act, target, request, status, code, ended_at
    from audit
    where audit.target = wanted.target and audit.id < $2
    order by audit.id desc
    limit $3
) as done
order by done.id desc
limit $3
