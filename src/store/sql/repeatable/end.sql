-- Keeps what a request was answered.
update repeatable
set status = $3, media = $4, body = $5
where caller = $1 and key = $2 and status is null
