-- Gives a migration the time that it needs, until its transaction ends.
select set_config('statement_timeout', '0', true), set_config('lock_timeout', '5min', true)
