-- Records that what a person has consented to is decided.
update work_item
set consent = null
where id = any ($1) and consent = 'given'
