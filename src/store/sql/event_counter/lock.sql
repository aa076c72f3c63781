-- Waits for whoever gives numbers to events, until the transaction ends. The number is retcon's own.
select pg_advisory_xact_lock(8243122663391625218)
