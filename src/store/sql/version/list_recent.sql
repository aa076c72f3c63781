-- Lists a record's latest versions that are not too old and hold one of these texts, such as `"path":"/name"`; the latest first.
select cause, changes, overruled, greatest(extract(epoch from clock_timestamp() - at) * 1000000, 0)::bigint as age
from (
    select version, at, cause, changes, overruled
    from version
    where entity = $1 and record = $2
    order by version desc
    limit 256
) as latest
where at > clock_timestamp() - $3::bigint * interval '1 microsecond'
  and exists (
    select
    from unnest($4::text[]) as sought (mention)
    where position(mention in changes::text) > 0 or position(mention in overruled::text) > 0
)
order by version desc
limit $5
