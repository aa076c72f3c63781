//! A million records that nobody has waited for: the daemon makes one, and the others are its copies.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use crate::site::{Database, ENTITY, Site, document};

/// The number that the documents and keys of the first record have, in the place of which its copies have theirs.
const FIRST: u64 = 7_777_777_777;
const RECORDS: &str = include_str!("records.sql");
/// How many records are made in one transaction.
const AT_ONCE: u64 = 100_000;

/// Has the values of `/email` match, so that creates look for them.
pub fn match_by_email(site: &Site) {
    let path = site.path().join("retcon.toml");
    let text = fs::read_to_string(&path).expect("a configuration");
    let (table, matching) = (format!("[entities.{ENTITY}]\n"), "match = [\"/email\"]\n");
    fs::write(path, text.replacen(&table, &format!("{table}{matching}"), 1)).expect("a configuration");
}

/// Has the daemon make one record, and copies it until there are so many. A record's key is `k` and its number in the first source,
/// and [`made_key`] in the second.
pub fn fill(site: &Site, database: &Database, records: u64) {
    let key = format!("k{FIRST}");
    site.put("s0", &key, &document(FIRST, 0));
    site.notify(&mut site.connection(), "s0", &[key]);
    database.wait_until_done();
    while !database.rows("select 'unnumbered' from event where number is null and id > 0").is_empty() {
        sleep(Duration::from_millis(20));
    }
    for first in (2..=records).step_by(AT_ONCE as usize) {
        let last = (first + AT_ONCE - 1).min(records);
        let statements = RECORDS.replace("FIRST", &first.to_string()).replace("LAST", &last.to_string());
        database.execute(&format!("begin; {statements} commit"));
    }
    for statement in [
        "update entity set last_internal_key = (select max(id) from record)",
        "reset session_replication_role",
        "vacuum analyze",
        "checkpoint",
    ] {
        database.execute(statement);
    }
}

/// The key that a record of [`fill`] has in the second source.
pub fn made_key(record: u64) -> String {
    format!("01a202ed-afa9-73af-a7e8-{record:012x}")
}

/// Puts work into the queue that nothing is to be done about: a half waits for a source that is down, the other for tomorrow.
pub fn fill_queue(database: &Database, items: u64) {
    let half = items / 2;
    for (name, due) in [("down", "'infinity', '{away}'"), ("later", "clock_timestamp() + interval '1 day', '{}'")] {
        database.execute(&format!(
            "insert into work_item (entity, subject, source, foreign_key, state, attempts, due_at, blocked_by, last_error) \
             select '{ENTITY}', 'copy', 's0', '{name}-' || n, 'waiting', 1, {due}, 'the source is away' \
             from generate_series(1, {half}) as n"
        ));
    }
    // As they are a moment later in life.
    ["vacuum analyze work_item", "checkpoint"].iter().for_each(|statement| database.execute(statement));
}
