-- Lists the writes to a record's copies that are not over, as list_settled.sql does: at most one for each copy.
select number, source, kind, state, foreign_key, new_key, left(document::text, 4000) as document, version, attempts, last_end, exit,
       stdout, stderr, created_at, ended_at
from operation
where entity = $1 and record = $2 and state in ('in-flight', 'open', 'in-doubt')
