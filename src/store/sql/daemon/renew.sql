-- Prolongs a daemon's time; gives no row if it was struck out. Tells whether there are others, and what time it is,
-- in microseconds since the Unix epoch.
update daemon
set alive_until = clock_timestamp() + $2::bigint * interval '1 microsecond'
where id = $1
returning exists (select from daemon as other where other.id <> $1) as others,
          floor(extract(epoch from clock_timestamp()) * 1000000)::bigint as now
