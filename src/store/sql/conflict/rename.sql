-- Records who contends in open conflicts by its new name.
update conflict
set contenders = renamed.contenders, contended = renamed.contended
from unnest($1::bigint[], $2::json[], $3::json[]) as renamed (id, contenders, contended)
where conflict.id = any ($1) and conflict.id = renamed.id
