-- Lists the secrets that are good now.
select id, name, entities, sources, rate, secret, case when former_till > clock_timestamp() then former end as former
from webhook
order by id
