//! What each statement on the way of a notification reads, as PostgreSQL itself says: `explain (analyze, buffers)`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::fill::made_key;
use crate::site::Database;

const STATEMENTS: &str = include_str!("statements.txt");

/// As in the store's own sessions, and with the plan that is kept there in the end.
const SETTINGS: &str = "set local enable_seqscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off; \
    set local jit = off; set local max_parallel_workers_per_gather = 0; set local plan_cache_mode = force_generic_plan";

/// What one statement did.
pub struct Explained {
    pub name: &'static str,
    /// Pages of tables and indexes that it touched, in memory or not.
    pub pages: u64,
    pub milliseconds: f64,
    pub plan: String,
}

/// Makes a look at a record in the middle, by hand, statement after statement, and takes it all back.
pub fn explain_all(database: &Database) -> Vec<Explained> {
    database.execute(&format!("begin; {SETTINGS}"));
    let values = values(database);
    let lines = STATEMENTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let explained = lines.map(|line| explain(database, line, &values)).collect();
    database.execute("rollback; deallocate all");
    explained
}

fn values(database: &Database) -> BTreeMap<&'static str, String> {
    let number = |question: &str| -> u64 {
        let answer = database.rows(question);
        answer[0][0].as_ref().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no number: {question}"))
    };
    let last = number("select last_internal_key::text from entity");
    let record = last * 7 / 10;
    let item = number("select (last_value + 1)::text from work_item_id_seq");
    BTreeMap::from([
        ("{record}", record.to_string()),
        ("{key}", format!("k{record}")),
        ("{made}", made_key(record)),
        ("{other}", (record + 1).to_string()),
        ("{new}", (last + 1).to_string()),
        ("{item}", item.to_string()),
        ("{id}", made_key(1 << 40)),
        ("{event}", record.to_string()),
        ("{fence}", number("select fence::text from lease where entity = 'customer'").to_string()),
        (
            "{holder}",
            database.rows("select holder::text from lease where entity = 'customer'")[0][0].clone().expect("a holder"),
        ),
    ])
}

fn explain(database: &Database, line: &'static str, values: &BTreeMap<&'static str, String>) -> Explained {
    let (name, parameters) = line.split_once(' ').unwrap_or((line, ""));
    let (name, is_taken_back) = name.strip_prefix('~').map_or((name, false), |name| (name, true));
    let given = values.iter().fold(parameters.trim().to_owned(), |text, (name, value)| text.replace(name, value));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sql").join(name);
    let statement = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    database.execute(&format!("savepoint before; deallocate all; prepare explained as {statement}"));
    let list = if given.is_empty() { String::new() } else { format!("({given})") };
    let told = database
        .rows(&format!("explain (analyze, buffers, costs off, timing off, summary on) execute explained {list}"));
    if is_taken_back {
        database.execute("rollback to before");
    }
    let lines: Vec<String> = told.into_iter().flatten().flatten().collect();
    Explained { name, pages: pages(&lines), milliseconds: milliseconds(&lines), plan: lines.join("\n") }
}

/// Adds up what the topmost step has touched, those below it included.
fn pages(lines: &[String]) -> u64 {
    let line = lines
        .iter()
        .take_while(|line| !line.starts_with("Planning"))
        .find_map(|line| line.split_once("Buffers: shared "));
    let words = line.map_or("", |(_, words)| words).split(' ');
    let count = |word: &str| {
        word.strip_prefix("hit=").or(word.strip_prefix("read="))?.trim_end_matches(',').parse::<u64>().ok()
    };
    words.filter_map(count).sum()
}

fn milliseconds(lines: &[String]) -> f64 {
    let line = lines.iter().find_map(|line| line.strip_prefix("Execution Time: "));
    line.and_then(|line| line.trim_end_matches(" ms").parse().ok()).expect("a time")
}
