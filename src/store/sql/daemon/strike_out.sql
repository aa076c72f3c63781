-- Strikes out a daemon that is known to be dead or to serve nothing any more: what it held is free.
delete from daemon
where id = $1
