-- Takes a key for a request. What was begun under it longer ago than $4 microseconds is forgotten, and so is what was begun
-- $5 ago and never ended: its daemon died with it. Gives whether the key was free, else what is known of the request.
with taken as (
    insert into repeatable as known (caller, key, fingerprint)
    values ($1, $2, $3)
    on conflict (caller, key) do update
        set fingerprint = excluded.fingerprint, began_at = clock_timestamp(), status = null, media = null, body = null
        where known.began_at < clock_timestamp() - $4::bigint * interval '1 microsecond'
           or (known.status is null and known.fingerprint = excluded.fingerprint
               and known.began_at < clock_timestamp() - $5::bigint * interval '1 microsecond')
    returning key
)
select true as is_new, true as is_same, null::smallint as status, null::text as media, null::bytea as body
from taken
union all
select false, fingerprint = $3, status, media, body
from repeatable
where caller = $1 and key = $2 and not exists (select from taken)
