-- Lists the copies that a record has now in some sources.
select source, foreign_key
from link
where entity = $1 and record = $2 and source = any ($3) and state = 'linked'
