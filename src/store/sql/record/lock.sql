-- Locks records while what looks decided, or wrote, is recorded, in the order in which all lock them, under the number of a lease if there
-- is one ($2 at $1, held by $3); gives the versions that they have now.
with held as materialized (
    select case when $2::bigint is null then true else hold_lease($1, $2, $3) end as is_held
)
select array(
    select record.version
    from record
    where record.entity = $4 and record.id = any ($5::bigint[])
    order by record.id
    for no key update
) as versions
from held
where held.is_held
