-- What changes all the time is cleaned up all the time, however much there is that does not change.

-- A row leaves an entry behind in the indexes of what waits, at their beginning, where every claim looks first; so it is with events that
-- have no number yet. By default that is cleaned up once a fifth of the table is dead, and not at all where it is little beside the table:
-- with a million rows that are done, a claim would read a thousand pages of what is over.
alter table work_item set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, vacuum_index_cleanup = on);
alter table event set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, vacuum_index_cleanup = on);

-- No index names what every sync changes of these: where a page has room for the next state of a row, no index is touched.
alter table link set (fillfactor = 85);
alter table record set (fillfactor = 85);
