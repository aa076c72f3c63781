-- Gives the items of a source to its new name, in what they wait for and what people have ordered too: an order that ends with
-- the text $4 ends with $5. An item whose copy has another that waits under the new name ends as coalesced into that one.
with former as materialized (
    select work_item.id, twin.id as target
    from work_item
    left join work_item as twin
        on twin.entity = $1 and twin.source = $3 and twin.foreign_key = work_item.foreign_key and twin.subject = 'copy'
        and twin.state in ('ready', 'waiting', 'parked')
        and work_item.source = $2 and work_item.subject = 'copy' and work_item.state in ('ready', 'waiting', 'parked')
    where work_item.entity = $1
      and (work_item.source = $2 or $2 = any (work_item.blocked_by)
           or right(work_item.command::text, length($4::text)) = $4::text)
)
update work_item
set source = case when work_item.source = $2 then $3 else work_item.source end,
    blocked_by = case when former.target is null then array_replace(work_item.blocked_by, $2, $3) else '{}' end,
    command = case
        when right(work_item.command::text, length($4::text)) = $4::text
            then (left(work_item.command::text, -length($4::text)) || $5::text)::json
        else work_item.command
    end,
    state = case when former.target is null then work_item.state else 'done' end,
    outcome = case when former.target is null then work_item.outcome else 'coalesced' end,
    coalesced_into = coalesce(former.target, work_item.coalesced_into),
    finished_at = case when former.target is null then work_item.finished_at else clock_timestamp() end
from former
where work_item.id = former.id
