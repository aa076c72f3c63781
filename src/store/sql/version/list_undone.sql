-- Lists which versions of a record were taken back, and by which; among the latest.
select version, cause
from (
    select version, cause
    from version
    where entity = $1 and record = $2
    order by version desc
    limit 256
) as latest
where cause ->> 'kind' = 'undo'
