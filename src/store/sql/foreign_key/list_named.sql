-- Lists what a key names, or named, in each of some sources.
select wanted.source, named.record, named.state, named.changed_at
from unnest($2::text[]) as wanted (source)
cross join lateral (
    select foreign_key.record, foreign_key.state, foreign_key.changed_at
    from foreign_key
    where foreign_key.entity = $1 and foreign_key.source = wanted.source and foreign_key.key = $3
    offset 0
) as named
order by wanted.source
