-- Lists a record's links.
select source, state, foreign_key, shadow, unknown, ack, owed, last_reading, missing_since, in_step, last_error
from link
where entity = $1 and record = $2
