-- Settles what a dead daemon had in flight as far as can be told: its programs may have done their work.
update operation
set state = case kind when 'create' then 'in-doubt' else 'open' end, may_have_taken_effect = true
where entity = $1 and state = 'in-flight'
