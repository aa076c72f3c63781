-- Ends a webhook.
delete from webhook
where name = $1
