-- Records that open conflicts have changed.
update conflict
set revision = conflict.revision + 1, kind = moved.kind, agreed = moved.agreed, contenders = moved.contenders,
    contended = moved.contended, changed_at = clock_timestamp()
from unnest($1::bigint[], $2::text[], $3::json[], $4::json[], $5::json[])
    as moved (id, kind, agreed, contenders, contended)
where conflict.id = any ($1) and conflict.id = moved.id
