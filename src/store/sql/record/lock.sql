-- Locks a record while what a look decided, or wrote, is recorded, under the number of a lease if there is one ($2 at $1, held by $3); gives
-- the version that it has now.
with held as materialized (
    select case when $2::bigint is null then true else hold_lease($1, $2, $3) end as is_held
)
select (select version from record where entity = $4 and id = $5 for no key update) as version
from held
where held.is_held
