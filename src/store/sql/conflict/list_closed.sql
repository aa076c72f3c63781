-- Lists the conflicts of a record that are over, from a time (in microseconds since the Unix epoch) and a number on downwards.
select id, kind, path, opened_at, closed_at, closed_by
from conflict
where entity = $1 and record = $2 and closed_at is not null
  and (closed_at, id) < (timestamptz 'epoch' + $3::bigint * interval '1 microsecond', $4)
order by closed_at desc, id desc
limit $5
