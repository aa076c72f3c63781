-- Takes a key for a request. What was begun under it longer ago than $4 microseconds is forgotten. What has no answer yet is taken
-- over, with what it has changed: whoever carried it out tells nothing any more. Gives whether the key was taken, else what is
-- known of the request.
with taken as (
    insert into repeatable as known (caller, key, fingerprint, attempt)
    values ($1, $2, $3, $5)
    on conflict (caller, key) do update
        set fingerprint = excluded.fingerprint, attempt = excluded.attempt, status = null, media = null, body = null,
            began_at = case when known.began_at < statement_timestamp() - $4::bigint * interval '1 microsecond'
                            then clock_timestamp() else known.began_at end,
            effect = case when known.began_at < statement_timestamp() - $4::bigint * interval '1 microsecond'
                          then null else known.effect end
        where known.began_at < statement_timestamp() - $4::bigint * interval '1 microsecond'
           or (known.status is null and known.fingerprint = excluded.fingerprint)
    returning effect
)
select true as is_taken, true as is_same, effect, null::smallint as status, null::text as media, null::bytea as body
from taken
union all
select false, fingerprint = $3, effect, status, media, body
from repeatable
where caller = $1 and key = $2 and not exists (select from taken)
