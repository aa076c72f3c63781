-- Lists who serves which entity.
select lease.entity, daemon.id as holder, daemon.name
from lease
join daemon on daemon.id = lease.holder
