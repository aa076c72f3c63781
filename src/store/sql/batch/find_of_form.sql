-- Finds the batch that was made of a form.
select id
from batch
where form = $1
