-- Gives up all that a daemon held before it was struck out: what it is given anew has another fencing number.
update lease
set holder = null
where holder = $1
