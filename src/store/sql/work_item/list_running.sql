-- Lists what is claimed of an entity, but for the items $2 under the claims $3 of looks under way, so that it can be put back.
select id, claims
from work_item
where entity = $1 and state = 'running'
  and not exists (
      select
      from unnest($2::bigint[], $3::bigint[]) as held (id, claim)
      where held.id = work_item.id and held.claim = work_item.claims
  )
