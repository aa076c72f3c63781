-- Keeps what programs said at the end of writes that are not settled.
update operation
set exit = said.exit, stdout = said.stdout, stderr = said.stderr
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as said (id, exit, stdout, stderr)
where operation.id = said.id and operation.id = any ($1) and operation.state not in ('done', 'superseded')
