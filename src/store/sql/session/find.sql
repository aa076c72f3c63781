-- Finds a session: how much longer it may last, and since when nobody has done anything in it, in microseconds.
select token,
       (extract(epoch from expires_at - statement_timestamp()) * 1000000)::bigint as left_us,
       (extract(epoch from statement_timestamp() - last_seen_at) * 1000000)::bigint as idle_us
from session
where hash = $1
