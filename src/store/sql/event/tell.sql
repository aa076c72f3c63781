-- Tells of what has happened to a daemon and is in no other table.
insert into event (at, kind, entity, source, details)
select told.at, told.kind, told.entity, told.source, told.details
from unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::json[]) as told (at, kind, entity, source, details)
