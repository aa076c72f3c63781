-- Opens conflicts of a record.
insert into conflict (entity, record, path, path_hash, kind, agreed, contenders, contended)
select $1, $2, found.path, found.path_hash, found.kind, found.agreed, found.contenders, found.contenders
from unnest($3::json[], $4::bytea[], $5::text[], $6::json[], $7::json[])
    as found (path, path_hash, kind, agreed, contenders)
