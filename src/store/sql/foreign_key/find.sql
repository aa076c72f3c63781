-- Finds what a key names, or named.
select record, state, document, changed_at,
       (extract(epoch from clock_timestamp() - changed_at) * 1000000)::bigint as age
from foreign_key
where entity = $1 and source = $2 and key = $3
