-- Lists the writes to a record's copies that are over, from a number on downwards; with the beginning of what each sent.
select number, source, kind, state, foreign_key, new_key, left(document::text, 4000) as document, version, attempts, last_end, exit,
       stdout, stderr, created_at, ended_at
from operation
where entity = $1 and record = $2 and state in ('done', 'superseded') and number < $3
order by number desc
limit $4
