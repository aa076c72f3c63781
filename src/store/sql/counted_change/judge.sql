-- Lists those of some sources of which $4 changes count in the last $3 microseconds, so that one more is too many.
select asked.source
from unnest($2::text[]) as asked (source)
cross join lateral (
    select count(*) as counted
    from (
        select
        from counted_change
        where counted_change.entity = $1 and counted_change.source = asked.source
          and counted_change.at > statement_timestamp() - $3::bigint * interval '1 microsecond'
        limit $4
    ) as recent
) as window_of
where window_of.counted >= $4
