-- Ends a token: whoever bears it is unknown from now on.
delete from token where name = $1
