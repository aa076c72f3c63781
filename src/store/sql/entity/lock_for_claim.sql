-- Locks the entity as lock.sql does, under the number of a lease if there is one ($2 at $1, held by $3).
with held as materialized (
    select case when $2::bigint is null then true else hold_lease($1, $2, $3) end as is_held
)
select (select last_internal_key from entity where name = $4 for no key update) as last_internal_key
from held
where held.is_held
