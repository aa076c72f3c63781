-- Signs a browser in for $3 microseconds at most, unless its token has ended meanwhile.
insert into session (hash, token, expires_at)
select $1, id, statement_timestamp() + $3::bigint * interval '1 microsecond'
from token
where id = $2
