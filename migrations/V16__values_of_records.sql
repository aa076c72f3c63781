-- Which match value a record bears is asked at each of its versions: the index alone tells it, and the row, which lies elsewhere, is not read.
drop index match_value_record;
create index match_value_record on match_value (entity, record) include (value);
