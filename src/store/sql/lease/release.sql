-- Gives up entities that a daemon has nothing under way for any more.
update lease
set holder = null
where entity = any ($1) and holder = $2
