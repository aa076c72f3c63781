-- Records that the program of a write is about to be started, under the number of a lease if there is one ($2 at $1, held by $3): from
-- now on it may have taken effect. Gives no row if there is nothing to be started.
with held as materialized (
    select case when $2::bigint is null then true else hold_lease($1, $2, $3) end as is_held
)
update operation
set may_have_taken_effect = true
from held
where held.is_held and operation.id = $4 and operation.state = 'in-flight'
returning operation.id
