-- Lists that the deletions of some copies are held; one that is listed stays, and has just been looked at.
insert into held_delete (entity, record, source, foreign_key)
select $1, $2, held.source, held.key
from unnest($3::text[], $4::text[]) as held (source, key)
on conflict (entity, source, record) do update set is_asked = false
