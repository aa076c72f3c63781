//! No statement's cost grows with the tables: each finds its rows by an index, whenever its plan was made.

use std::fs;
use std::path::{Path, PathBuf};

use tokio_postgres::{Client, NoTls};

use crate::support::postgres::{self, TestStore};

/// Twenty thousand records with two copies each, and a queue of twenty thousand items besides those that are done.
const FILL: &str = "
    insert into entity values ('customer', 20000);
    insert into record (entity, id, version, agreed) select 'customer', n, 1, '{}' from generate_series(1, 20000) as n;
    insert into link (entity, record, source, state, foreign_key)
        select 'customer', n, source, 'linked', source || n
        from generate_series(1, 20000) as n, (values ('crm'), ('billing')) as two (source);
    insert into foreign_key (entity, source, key, record, state)
        select entity, source, foreign_key, record, 'current' from link;
    insert into match_value select 'customer', '[' || n || ']', n from generate_series(1, 20000) as n;
    insert into version (entity, record, version, cause, changes, state)
        select 'customer', n, 1, '{}', '[]', 'live' from generate_series(1, 20000) as n;
    insert into conflict (entity, record, path, path_hash, kind, contenders, contended, closed_at)
        select 'customer', n, '\"\"', '', 'held', '[]', '[]', case when n % 10 > 0 then now() end
        from generate_series(1, 20000) as n;
    insert into operation (id, entity, record, source, kind, state, carries, version, ended_at)
        select gen_random_uuid(), 'customer', n, 'crm', 'update', case when n % 100 > 0 then 'done' else 'in-doubt' end, '{}', 1,
               now()
        from generate_series(1, 20000) as n;
    insert into work_item (entity, subject, source, foreign_key, state)
        select 'customer', 'copy', 'crm', 'crm' || n, 'ready' from generate_series(1, 20000) as n;
    insert into work_item (entity, subject, source, foreign_key, state, due_at, blocked_by)
        select 'customer', 'copy', 'billing', 'billing' || n, 'waiting', 'infinity', '{billing}'
        from generate_series(1, 2000) as n;
    insert into work_item (entity, subject, source, foreign_key, state, due_at, held_by)
        select 'customer', 'copy', 'hr', 'hr' || n, 'waiting', 'infinity', n from generate_series(1, 2000) as n;
    insert into work_item (entity, subject, source, foreign_key, record, state)
        select 'customer', 'copy', 'ldap', 'ldap' || n, n, 'parked' from generate_series(1, 2000) as n;
    insert into work_item (entity, subject, source, foreign_key, state, finished_at)
        select 'customer', 'copy', 'crm', 'crm' || n, 'done', now() from generate_series(1, 100000) as n;
    insert into counted_removal (entity, record) select 'customer', n from generate_series(1, 20000) as n;
    insert into counted_change (entity, source, record) select 'customer', 'crm', n from generate_series(1, 20000) as n;
    insert into held_delete (entity, record, source, foreign_key, approved_at)
        select 'customer', n, 'crm', 'crm' || n, case when n % 100 > 0 then now() end from generate_series(1, 20000) as n;
    insert into audit (who, via, act, target, status, ended_at)
        select 'ann', 'unix', 'reload', '/v1/reload', 200, now() from generate_series(1, 20000) as n;
    insert into repeatable (caller, key, fingerprint)
        select 'ann', n, sha256(n::text::bytea) from generate_series(1, 20000) as n;
    insert into webhook_message (webhook, id, sent_at) select 'shop', n, now() from generate_series(1, 20000) as n;
    insert into batch (form, entity, path, kind, sources, decision, orders)
        select gen_random_uuid(), 'customer', '\"\"', 'held', 'crm', '{}', 1 from generate_series(1, 20000) as n;
    update event set number = id;
    analyze";

/// Tables that stay small.
fn is_small(line: &str) -> bool {
    [
        " on daemon",
        " on entity",
        " on event_counter",
        " on event_reader",
        " on lease",
        " on pause",
        " on source",
        " on token",
        " on session ",
        " on webhook ",
        " on schema_migration",
    ]
    .iter()
    .any(|name| line.contains(name))
}

fn statements() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sql");
    let list = |directory: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        entries.map(|entry| entry.expect("an entry").path()).collect()
    };
    let files = list(&root).into_iter().flat_map(|table| list(&table));
    let mut all: Vec<_> = files
        .filter(|file| !file.starts_with(root.join("schema_migration")))
        .map(|file| {
            let name = file.strip_prefix(&root).expect("it is below").display().to_string();
            (name, fs::read_to_string(&file).expect("it can be read"))
        })
        .collect();
    all.sort();
    assert!(all.len() > 50, "the statements are elsewhere");
    all
}

async fn client(database: &TestStore) -> Client {
    let (client, connection) = database.config().connect(NoTls).await.expect("the server takes connections");
    tokio::spawn(connection);
    client
}

/// Gives the plan that PostgreSQL keeps for a statement, whatever its parameters.
async fn plan(client: &Client, sql: &str) -> Vec<String> {
    let parameters = client.prepare(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")).params().len();
    let values = if parameters == 0 { String::new() } else { format!("({})", vec!["null"; parameters].join(", ")) };
    let explained = format!("deallocate all; prepare stated as {sql}; explain execute stated {values}");
    let answer = client.simple_query(&explained).await.unwrap_or_else(|error| panic!("{explained}: {error:?}"));
    let row = |message: tokio_postgres::SimpleQueryMessage| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    answer.into_iter().filter_map(row).collect()
}

/// What is running, or in flight, is little, and may always be read as a whole.
const ALWAYS_SMALL: [&str; 2] = ["work_item_running", "operation_in_flight"];

/// Indexes that hold only what is open, and the statements that want all of that.
const READ_WHOLE: &[(&str, &[&str])] = &[
    (
        "entity/count.sql",
        &[
            "conflict_alike",
            "conflict_inbox",
            "conflict_open",
            "held_delete_waiting",
            "operation_unsettled",
            "record_deleted",
            "work_item_unfinished",
        ],
    ),
    ("conflict/count_inbox.sql", &["conflict_inbox", "conflict_open"]),
    ("conflict/find_group.sql", &["conflict_open"]),
    ("conflict/list_groups.sql", &["conflict_alike", "conflict_open"]),
    ("held_delete/approve.sql", &["held_delete"]),
    ("held_delete/count.sql", &["held_delete"]),
    ("operation/recover.sql", &["operation_unsettled"]),
    ("work_item/count_blocked.sql", &["work_item_blocked"]),
    ("work_item/probe.sql", &["work_item_blocked"]),
    ("work_item/release.sql", &["work_item_blocked"]),
    ("work_item/release_all.sql", &["work_item_blocked"]),
    ("work_item/release_all_held.sql", &["work_item_held"]),
];

/// What is done once, when a source is renamed or `match` is changed, to all that is known.
fn is_rare(name: &str) -> bool {
    let rare = ["link/clear.sql", "conflict/list_of_entity.sql", "match_value/clear.sql"];
    name.ends_with("/rename.sql") || rare.contains(&name)
}

/// Gives the first line of a plan that reads more than what is asked for.
fn greedy<'a>(name: &str, lines: &'a [String]) -> Option<&'a String> {
    let whole = READ_WHOLE.iter().find(|(statement, _)| *statement == name).map_or(&[][..], |(_, indexes)| indexes);
    let is_fine = |place: usize, line: &str| {
        let index = [" using ", "Bitmap Index Scan on "].iter().find_map(|before| line.split_once(before));
        let index = index.map(|(_, index)| index);
        is_small(line)
            || index.is_some_and(|index| {
                ALWAYS_SMALL.iter().any(|small| index.starts_with(small))
                    || whole.iter().any(|whole| index.starts_with(whole))
                    || is_narrow(lines.get(place + 1))
            })
    };
    let mut scans = lines.iter().enumerate().filter(|(_, line)| is_scan(line));
    scans.find(|(place, line)| !is_fine(*place, line)).map(|(_, line)| line)
}

/// Statements about as many looks as are under way, or the items of a look: to look all of these up for each is little.
const OF_A_FEW: [&str; 2] = ["work_item/claim.sql", "work_item/put_back.sql"];

/// Gives the first line of a plan that looks all of several keys up again for each row of something else.
fn repeated(lines: &[String]) -> Option<&String> {
    let by_several = |place: &usize| {
        let condition =
            lines.get(place + 1).is_some_and(|next| next.contains("Index Cond: ") && next.contains("= ANY ($"));
        condition && is_scan(&lines[*place])
    };
    let loops = (0..lines.len()).filter(|place| lines[*place].contains("Nested Loop"));
    loops.filter_map(|place| inner(lines, place)).find(by_several).map(|place| &lines[place])
}

/// Gives the place of what a nested loop does again and again: the second step below it.
fn inner(lines: &[String], place: usize) -> Option<usize> {
    let indent = |place: usize| lines[place].len() - lines[place].trim_start().len();
    let below = (place + 1..lines.len()).take_while(|below| indent(*below) > indent(place));
    let steps: Vec<usize> = below.filter(|below| lines[*below].trim_start().starts_with("->")).collect();
    let first = *steps.first()?;
    steps.into_iter().skip(1).find(|step| indent(*step) == indent(first))
}

fn is_scan(line: &str) -> bool {
    ["Seq Scan on", "Index Scan using", "Index Only Scan using", "Bitmap Index Scan on"]
        .iter()
        .any(|scan| line.contains(scan))
}

/// Tells whether a scan is by more than the entity, which may be all there is, or a state that many may be in.
fn is_narrow(condition: Option<&String>) -> bool {
    let Some(condition) = condition.and_then(|next| next.trim_start().strip_prefix("Index Cond: ")) else {
        return false;
    };
    let is_wide = |part: &str| part.contains("(entity = ") || part.contains("(state = ") && !part.contains("'running'");
    !condition.split(" AND ").all(is_wide)
}

async fn check(client: &Client) {
    for (name, sql) in statements().into_iter().filter(|(name, _)| !is_rare(name)) {
        let lines = plan(client, &sql).await;
        assert_eq!(greedy(&name, &lines), None, "{name} reads too much:\n{}", lines.join("\n"));
        let repeated = repeated(&lines).filter(|_| !OF_A_FEW.contains(&name.as_str()));
        assert_eq!(repeated, None, "{name} reads all of it again for each row:\n{}", lines.join("\n"));
    }
}

#[tokio::test]
async fn plans_for_large_tables_read_by_index() {
    let database = postgres::store();
    let client = client(&database).await;
    client.batch_execute(FILL).await.expect("the tables can be filled");
    client.batch_execute("set plan_cache_mode = force_generic_plan").await.expect("it can be set");
    check(&client).await;
}

/// A plan is kept until the table is analyzed, which may be minutes after it has grown.
#[tokio::test]
async fn plans_that_were_made_for_empty_tables_read_by_index() {
    let database = postgres::store();
    let client = client(&database).await;
    // As in the store's own sessions.
    let settings = "set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_hashjoin = off; \
                    set enable_mergejoin = off";
    client.batch_execute(settings).await.expect("they can be set");
    check(&client).await;
}
