-- Records that the program of a write is about to be started: from now on it may have taken effect. Gives no row if there is
-- nothing to be started.
update operation
set may_have_taken_effect = true
where id = $1 and state = 'in-flight'
returning id
