-- Lists webhooks, the oldest first.
select id, name, entities, sources, rate, created_at, case when former_till > clock_timestamp() then former_till end as former_till
from webhook
where id > $1
order by id
limit $2
