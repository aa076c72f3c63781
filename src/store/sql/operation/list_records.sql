-- Lists the numbers of an entity's records with a write in doubt, in the order of the doubts; one with several is named once, by the first.
select record, number as place
from operation
where state = 'in-doubt' and number > 0 and number > $2 and entity = $1 and not exists (
    select
    from (
        select sibling.number, sibling.state
        from operation as sibling
        where sibling.entity = $1 and sibling.record = operation.record and sibling.state in ('in-flight', 'open', 'in-doubt')
        offset 0
    ) as earlier
    where earlier.state = 'in-doubt' and earlier.number < operation.number
)
order by number
limit $3
