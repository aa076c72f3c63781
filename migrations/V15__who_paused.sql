-- Who has stopped something for the time being; null where nobody knows.

alter table pause add column who text;
