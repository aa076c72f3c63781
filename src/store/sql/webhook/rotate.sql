-- Gives a webhook another secret; the one before is good for a while longer.
update webhook
set former = secret, former_till = clock_timestamp() + $3::bigint * interval '1 microsecond', secret = $2
where name = $1
returning id, name, entities, sources, rate, created_at, former_till
