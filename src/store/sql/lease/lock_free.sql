-- Locks those of some entities that nobody serves but for $2, until the transaction ends: whatever the last holder records under
-- its number comes wholly before the next holder, or is refused. Nobody is waited for, since the time of this daemon is prolonged
-- in the same transaction: what a request of the last holder still has is taken a moment later.
select free.entity
from (
    select wanted.entity, hashtext(wanted.entity) as lock
    from unnest($1::text[]) as wanted (entity)
    left join lease on lease.entity = wanted.entity
    left join daemon on daemon.id = lease.holder
    where daemon.id is null or daemon.id = $2
    offset 0
) as free
where pg_try_advisory_xact_lock(1919251555, free.lock)
