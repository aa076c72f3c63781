-- Locks the entity as lock_for_claim.sql does, if nobody has it locked. Ends in an error otherwise: nothing is waited for.
with held as materialized (
    select case when $2::bigint is null then true else hold_lease($1, $2, $3) end as is_held
)
select coalesce((select true from entity where name = $4 for no key update skip locked), not_plain()) as is_locked
from held
where held.is_held
