-- Lists the writes to a record's copies whose end is not settled.
select id, source, kind, state, foreign_key, document, carries, version, attempts, may_have_taken_effect
from operation
where entity = $1 and record = $2 and state in ('in-flight', 'open', 'in-doubt')
