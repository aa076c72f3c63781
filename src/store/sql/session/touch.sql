-- Records that somebody does something in a session.
update session set last_seen_at = statement_timestamp() where hash = $1
