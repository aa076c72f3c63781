-- Forgets the sessions that are over: too old, or without use for $1 microseconds.
delete from session
where expires_at < statement_timestamp()
   or last_seen_at < statement_timestamp() - $1::bigint * interval '1 microsecond'
