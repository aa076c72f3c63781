-- Tells whether an entity has work that can be claimed, now or when its time comes.
select id
from work_item
where entity = $1 and state in ('ready', 'waiting') and id > 0 and due_at < 'infinity'
order by due_at
limit 1
