-- Enters an act of a person before it is done.
insert into audit (who, via, uid, pid, peer, act, target, request)
values ($1, $2, $3, $4, $5, $6, $7, $8)
returning id
