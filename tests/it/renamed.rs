//! A source that gets another name in the configuration keeps its copies.

use retcon::domain::merge::{Conflict, ConflictKind, Contender, Decision};
use retcon::domain::record::OperationKind;
use retcon::store::requests::look::{Decide, RecordResults};
use retcon::store::requests::queue::{Order, Rename, Renamed};
use serde_json::Value;

use crate::support::postgres;
use crate::support::site::Site;
use crate::support::store::{
    blocked, claim_one, customer, decision, finish, intent, json, key, notify, recall, receipts, record, results, rows,
    run, source,
};
use crate::support::system::Language::C;
use crate::support::wait::until;

const ANN: &str = r#"{"name":"Ann"}"#;
const ANNE: &str = r#"{"name":"Anne"}"#;

fn two() -> Site {
    Site::new(&[C.source("billing"), C.source("crm")])
}

/// Calls billing `ledger` in the configuration, which is the same system still.
fn rename(site: &Site, settings: &str) {
    let config = std::fs::read_to_string(site.path().join("retcon.toml")).expect("it is there");
    let renamed = config
        .replace("[entities.customer.sources.billing]\n", &format!("[entities.customer.sources.ledger]\n{settings}\n"));
    assert_ne!(config, renamed);
    site.write("retcon.toml", &renamed);
}

/// Edits Ann in the CRM; the other system gets that, and no copy was ever made but the first one.
#[track_caller]
fn expect_kept(site: &Site) {
    site.system("crm").put("a", ANNE);
    site.notify("crm", "a");
    assert_eq!(site.system("billing").documents(), [ANNE]);
    let runs = site.runs();
    let created = runs.started().filter(|run| run.operation == "create").count();
    assert_eq!(created, 1, "{runs:?}");
    let record = site.get("/v1/records/customer/1");
    let links: Vec<&Value> = record["links"].as_array().expect("links").iter().map(|link| &link["source"]).collect();
    assert_eq!(links, ["crm", "ledger"], "{record}");
    assert_eq!(record["links"][1]["key"], site.system("billing").only_key());
    // The program knows itself by its new name.
    assert_eq!(runs.count("ledger", "update"), 1, "{runs:?}");
}

#[test]
fn a_source_that_is_renamed_while_the_daemon_runs_keeps_its_copies() {
    let site = two();
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    rename(&site, "renamed_from = \"billing\"");
    site.retcon(&["reload"]).exits(0);
    daemon.wait_for_event(|event| event["msg"] == "source renamed" && event["source"] == "ledger");
    expect_kept(&site);
    daemon.stop();
    // The setting may stay.
    let daemon = site.start();
    site.notify("ledger", &site.system("billing").only_key());
    assert_eq!(site.get("/v1/records/customer")["items"].as_array().map(Vec::len), Some(1));
    daemon.stop();
}

#[test]
fn a_source_that_is_renamed_between_two_starts_keeps_its_copies() {
    let site = two();
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    daemon.stop();
    rename(&site, "renamed_from = \"billing\"");
    let daemon = site.start();
    expect_kept(&site);
    daemon.stop();
}

#[test]
fn two_sources_with_copies_are_not_made_one() {
    let site = two();
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    rename(&site, "");
    site.retcon(&["reload"]).exits(0);
    // It counts as another system: it is given a copy.
    site.notify("crm", "a");
    until(|| (site.system("billing").items().len() == 2).then_some(()), || daemon.log_text());
    let config = std::fs::read_to_string(site.path().join("retcon.toml")).expect("it is there");
    let named = "[entities.customer.sources.ledger]\n";
    site.write("retcon.toml", &config.replace(named, &format!("{named}renamed_from = \"billing\"\n")));
    site.retcon(&["reload"]).exits(0);
    let refused = daemon.wait_for_event(|event| event["msg"] == "queue cannot be taken over");
    let why = refused["error"].as_str().unwrap_or_default();
    assert!(why.contains("copies are known of both \"billing\" and \"ledger\""), "{refused}");
    // Without the setting they are two, as before.
    site.write("retcon.toml", &config);
    site.retcon(&["reload"]).exits(0);
    site.notify("crm", "a");
    daemon.stop();
}

#[tokio::test]
async fn a_source_does_not_get_a_name_under_which_a_deletion_is_owed() {
    let store = postgres::store();
    let one = record(&store, "sales", "a").await;
    let known = recall(&store, one).await;
    let operations =
        vec![(source("sales"), intent(OperationKind::Update)), (source("app"), intent(OperationKind::Delete))];
    assert!(run(&store, Decide { operations, ..decision(&known) }).await);
    let names = vec![(source("sales"), source("app"))];
    let refused = Renamed::Refused { former: source("sales"), present: source("app") };
    assert_eq!(run(&store, Rename { entity: customer(), names }).await, refused);
}

#[tokio::test]
async fn all_that_is_known_of_a_source_becomes_that_of_its_new_name() {
    let store = postgres::store();
    let one = record(&store, "sales", "a").await;
    let known = recall(&store, one).await;
    let contender = |name: &str, value: &str| Contender { sources: vec![source(name)], value: Some(json(value)) };
    let conflict = Conflict {
        path: "/x".parse().expect("a pointer"),
        kind: ConflictKind::EditEdit,
        agreed: None,
        contenders: vec![contender("crm", "\"\\u0000\""), contender("sales", "1e400")],
    };
    let decided = Decide {
        conflicts: vec![conflict],
        operations: vec![(source("sales"), intent(OperationKind::Update))],
        ..decision(&known)
    };
    assert!(run(&store, decided).await);
    run(&store, RecordResults { tidies: vec![source("sales")], ..results(one, &[]) }).await;
    // One waits for it, one is about a copy of it, one about one that is told of by the new name too; and a person takes it.
    notify(&store, "crm", "waits").await;
    finish(&store, receipts(&claim_one(&store).await), blocked(&["sales", "crm"])).await;
    for (name, foreign_key) in [("sales", "b"), ("sales", "c"), ("app", "c")] {
        notify(&store, name, foreign_key).await;
    }
    let take = Order::Resolve { conflict: 1, revision: 1, decision: Decision::Take(source("sales")), together: None };
    let order = retcon::store::requests::queue::EnqueueRecord { entity: customer(), record: one, order: Some(take) };
    run(&store, order).await;

    let rename = Rename { entity: customer(), names: vec![(source("sales"), source("app"))] };
    let done = run(&store, rename.clone()).await;
    // A copy of the new name is told of, and none is known.
    assert_eq!(done, Renamed::Done(vec![(source("sales"), source("app"))]));
    let all = "select 'link', source || ' ' || coalesce(foreign_key, '') from link
        union all select 'key', source || ' ' || key from foreign_key
        union all select 'operation', source from operation
        union all select 'tidies', name from source
        union all select 'contends', contenders::text || contended::text from conflict
        union all select 'item', concat_ws(' ', source, foreign_key, state, blocked_by::text, command #>> '{resolve,decision,take}')
                  from work_item where state <> 'done' or outcome = 'coalesced'
        order by 1, 2";
    let contends = concat!(
        r#"contends|[{"sources":["app"],"value":1e400},{"sources":["crm"],"value":"\u0000"}]"#,
        r#"[{"sources":["crm"],"value":"\u0000"},{"sources":["app"],"value":1e400}]"#
    );
    assert_eq!(
        rows(&store, all).await,
        [
            contends,
            "item|app b ready {}",
            "item|app c done {}",
            "item|app c ready {}",
            "item|crm waits waiting {app,crm}",
            "item|ready {} app",
            "key|app a",
            "link|app a",
            "operation|app",
            "tidies|app",
        ]
    );
    assert_eq!(run(&store, rename.clone()).await, Renamed::Done(Vec::new()), "it is done once");
    record(&store, "sales", "z").await;
    let refused = Renamed::Refused { former: source("sales"), present: source("app") };
    assert_eq!(run(&store, rename).await, refused);
    assert_eq!(recall(&store, one).await.links[&source("app")].key, Some(key("a")));
}
