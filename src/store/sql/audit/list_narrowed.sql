-- Lists what people did, the latest first, narrowed to a person, an act, and how it ended; looks no further than $6 entries.
select id, at, who, via, uid, pid, peer, act, target, request, status, code, ended_at
from (
    select id, at, who, via, uid, pid, peer, act, target, request, status, code, ended_at
    from audit
    where id < $1
    order by id desc
    limit $6
) as latest
where ($3::text is null or who = $3) and ($4::text is null or act = $4)
  and ($5::text is null or $5 = case when status is null then 'unknown' when status < 400 then 'done' else 'refused' end)
order by id desc
limit $2
