-- Gives a daemon those of some entities that nobody serves, each with its next fencing number; and tells of those that it has.
insert into lease as held (entity, fence, holder)
select wanted.entity, 1, $2
from unnest($1::text[]) as wanted (entity)
order by wanted.entity
on conflict (entity) do update set
    fence = case when held.holder = excluded.holder then held.fence else held.fence + 1 end,
    holder = excluded.holder
where held.holder = excluded.holder or not exists (select from daemon where daemon.id = held.holder)
returning entity, fence
