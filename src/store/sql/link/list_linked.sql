-- Lists the copies that a record has now in some sources.
select copy.source, copy.foreign_key
from (
    select source, foreign_key, state
    from link
    where entity = $1 and record = $2 and source = any ($3)
    offset 0
) as copy
where copy.state = 'linked'
