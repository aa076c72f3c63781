-- Which rules an entity's match values are made by: those that were made by others are not comparable, and are made anew.

-- Null until all of its records have theirs.
alter table entity add column match_rules text;
