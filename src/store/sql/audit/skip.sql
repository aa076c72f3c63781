-- Finds the entry that stands so many places further down.
select id
from audit
where id < $1
order by id desc
offset $2
limit 1
