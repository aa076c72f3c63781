-- Lists every token that is good: there are few.
select id, name, hash, role, entities, sources, rate, created_at
from token
order by id
