-- Locks those of some entities that nobody serves but for $2, in one order for all daemons, until the transaction ends: whatever
-- the last holder records under its number comes wholly before the next holder, or is refused.
select free.entity, pg_advisory_xact_lock(1919251555, free.lock)
from (
    select wanted.entity, hashtext(wanted.entity) as lock
    from unnest($1::text[]) as wanted (entity)
    left join lease on lease.entity = wanted.entity
    left join daemon on daemon.id = lease.holder
    where daemon.id is null or daemon.id = $2
    order by lock
    offset 0
) as free
