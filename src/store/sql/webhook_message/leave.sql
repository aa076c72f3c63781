-- Gives a message back that could not be stored, so that it may be sent once more.
delete from webhook_message
where webhook = $1 and id = $2 and sent_at = $3
