-- Takes a message, unless it was taken before; forgets those that are too old to be sent once more.
with forgotten as (
    delete from webhook_message
    where at < statement_timestamp() - $4::bigint * interval '1 microsecond'
)
insert into webhook_message (webhook, id, sent_at)
values ($1, $2, $3)
on conflict (webhook, id, sent_at) do nothing
