-- Keeps what a request was answered, for who carries it out.
update repeatable
set status = $4, media = $5, body = $6
where caller = $1 and key = $2 and attempt = $3 and status is null
