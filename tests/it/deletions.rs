//! Deletions: only on evidence, only when it has lasted, never for good, and never against an edit.

use rstest::rstest;
use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::postgres::block_on;
use crate::support::site::Site;
use crate::support::store::rows;
use crate::support::system::Language::{C, Sh};
use crate::support::system::SourceSpec;
use crate::support::wait::until;

const ANN: &str = r#"{"age":1,"name":"Ann"}"#;
const ANNE: &str = r#"{"age":1,"name":"Anne"}"#;
const BOB: &str = r#"{"age":9,"name":"Bob"}"#;
const EXIT_1: &str = "echo nobody home >&2; exit 1";

fn three() -> [SourceSpec; 3] {
    ["billing", "crm", "shop"].map(|name| C.source(name).with("read_back = false\ntimeout = \"2s\""))
}

/// Ann in all three systems, under the key `1` in crm.
#[track_caller]
fn in_step(site: &Site) -> Daemon<'_> {
    let daemon = site.start();
    site.system("crm").put("1", ANN);
    site.notify("crm", "1");
    expect(site, [ANN; 3]);
    daemon
}

/// What stands in billing, crm and shop; the empty text is nothing.
#[track_caller]
fn expect(site: &Site, documents: [&str; 3]) {
    site.wait_until_at_rest();
    let found = ["billing", "crm", "shop"].map(|source| site.system(source).documents().join("\n"));
    assert_eq!(found, documents, "{}", site.get("/v1/records/customer/1"));
}

fn tell(site: &Site, source: &str, key: &str) {
    site.retcon(&["notify", "customer", source, key]).exits(0);
}

/// Tells of a copy while something is away, and waits until it was looked at.
#[track_caller]
fn tell_in_vain(site: &Site, source: &str, key: &str) {
    let before = site.runs().count(source, "read");
    tell(site, source, key);
    until(|| (site.runs().count(source, "read") > before).then_some(()), || "it is not looked at");
}

#[track_caller]
fn record(site: &Site) -> Value {
    site.get("/v1/records/customer/1")
}

#[rstest]
#[case::exit_1("exit 1")]
#[case::exit_3("exit 3")]
#[case::exit_4("exit 4")]
#[case::exit_127("exit 127")]
#[case::exit_130("exit 130")]
#[case::exit_255("exit 255")]
#[case::nothing_printed("exit 0")]
#[case::half_a_document("printf '{\"name\":'; exit 0")]
#[case::two_documents("echo '{} {}'; exit 0")]
#[case::no_utf_8("printf '\"\\377\"'; exit 0")]
#[case::not_found_in_words("echo not found; echo no such item >&2; exit 0")]
#[case::killed("kill -9 $$")]
#[case::terminated("kill -TERM $$")]
#[case::hanging("exec sleep 600")]
#[case::a_flood("exec head -c 20000000 /dev/zero")]
#[case::a_program_that_is_not_there("exec /nonexistent/program")]
#[case::a_program_that_cannot_run("exec /etc/passwd")]
fn only_exit_2_of_a_read_deletes(#[case] end: &str) {
    let site = Site::new(&three());
    let daemon = in_step(&site);
    // The item is in fact gone; what is not said so is not believed.
    site.system("crm").remove("1");
    site.system("crm").fault("read", end);
    tell_in_vain(&site, "crm", "1");
    tell_in_vain(&site, "crm", "1");
    assert_eq!((record(&site)["state"].clone(), site.runs().count("billing", "delete")), ("live".into(), 0));
    assert_eq!(site.system("billing").documents(), [ANN]);
    assert_eq!(site.system("shop").documents(), [ANN]);
    site.system("crm").heal();
    tell(&site, "crm", "1");
    expect(&site, ["", "", ""]);
    daemon.stop();
}

#[rstest]
#[case::update("update")]
#[case::delete("delete")]
#[case::create("create")]
fn exit_2_of_anything_but_a_read_deletes_nothing(#[case] operation: &str) {
    let site = Site::new(&three());
    let daemon = in_step(&site);
    site.system("billing").fault(operation, "exit 2");
    site.system("crm").put("1", ANNE);
    tell(&site, "crm", "1");
    until(|| (site.system("shop").documents() == [ANNE]).then_some(()), || daemon.log_text());
    site.system("billing").heal();
    tell(&site, "crm", "1");
    expect(&site, [ANNE; 3]);
    assert_eq!(["billing", "crm", "shop"].map(|source| site.runs().count(source, "delete")), [0; 3]);
    daemon.stop();
}

/// Since when the copy in crm is missing, as the database has it.
fn missing_since(site: &Site) -> String {
    let sql = "select missing_since from link where source = 'crm'";
    block_on(rows(site.database(), sql)).pop().expect("there is a link")
}

/// Lets time pass for the copies that are missing.
fn pass_an_hour(site: &Site) {
    let sql = "update link set missing_since = missing_since - interval '1 hour' where missing_since is not null";
    block_on(rows(site.database(), sql));
}

#[track_caller]
fn wait_until_waiting(site: &Site) {
    let waits = || site.get("/v1/status")["entities"][0]["queue"]["waiting"] == 1;
    until(|| waits().then_some(()), || site.get("/v1/status").to_string());
}

fn patient() -> Site {
    Site::with("delete_after = \"1h\"", &three())
}

#[test]
fn a_copy_must_be_missing_still_when_delete_after_is_over_restarts_and_outages_included() {
    let site = patient();
    let daemon = in_step(&site);
    site.system("crm").remove("1");
    tell(&site, "crm", "1");
    wait_until_waiting(&site);
    let since = missing_since(&site);
    assert_ne!(since, "null");
    tell_in_vain(&site, "crm", "1");
    daemon.kill();
    let daemon = site.start();
    tell_in_vain(&site, "crm", "1");
    // An outage neither counts as missing nor begins the time anew.
    site.system("crm").fault("read", EXIT_1);
    tell_in_vain(&site, "crm", "1");
    wait_until_waiting(&site);
    assert_eq!(missing_since(&site), since);
    pass_an_hour(&site);
    tell_in_vain(&site, "crm", "1");
    daemon.stop();
    let daemon = site.start();
    tell_in_vain(&site, "crm", "1");
    assert_eq!((record(&site)["state"].clone(), site.system("billing").documents()), ("live".into(), vec![ANN.into()]));
    site.system("crm").heal();
    tell(&site, "crm", "1");
    expect(&site, ["", "", ""]);
    assert_eq!(record(&site)["state"], "deleted");
    daemon.stop();
}

#[test]
fn a_copy_that_comes_back_begins_its_absence_anew() {
    let site = patient();
    let daemon = in_step(&site);
    site.system("crm").remove("1");
    tell(&site, "crm", "1");
    wait_until_waiting(&site);
    site.system("crm").put("1", ANN);
    site.notify("crm", "1");
    assert_eq!(missing_since(&site), "null");
    pass_an_hour(&site);
    site.system("crm").remove("1");
    tell_in_vain(&site, "crm", "1");
    wait_until_waiting(&site);
    assert_ne!(missing_since(&site), "null");
    assert_eq!((record(&site)["state"].clone(), site.runs().count("billing", "delete")), ("live".into(), 0));
    // What others change meanwhile goes on without it, and then contradicts the absence.
    let key = site.system("billing").only_key();
    site.system("billing").put(&key, ANNE);
    tell(&site, "billing", &key);
    until(|| (site.system("shop").documents() == [ANNE]).then_some(()), || daemon.log_text());
    pass_an_hour(&site);
    tell(&site, "crm", "1");
    expect(&site, [ANNE, "", ANNE]);
    assert_eq!(site.get("/v1/conflicts")["items"][0]["kind"], "edit-delete");
    daemon.stop();
}

/// Removes the record, as its copy in crm is gone; gives the version that did so.
#[track_caller]
fn remove(site: &Site) -> String {
    site.system("crm").remove("1");
    site.notify("crm", "1");
    expect(site, ["", "", ""]);
    let record = record(site);
    assert_eq!((&record["state"], &record["agreed"]["name"]), (&"deleted".into(), &"Ann".into()), "{record}");
    record["version"].to_string()
}

#[test]
fn an_undo_brings_a_record_back_also_where_a_source_is_down() {
    let site = Site::new(&three());
    let daemon = in_step(&site);
    let version = remove(&site);
    site.system("billing").fault_everywhere(EXIT_1);
    site.retcon(&["undo", "customer", "1", &version]).exits(0);
    assert_eq!((site.system("crm").documents(), site.system("shop").documents()), (vec![ANN.into()], vec![ANN.into()]));
    site.system("billing").heal();
    expect(&site, [ANN; 3]);
    assert_eq!(record(&site)["state"], "live");
    daemon.stop();
}

#[rstest]
#[case::known(true)]
#[case::unknown(false)]
fn an_undo_leaves_an_item_alone_that_was_given_the_key_meanwhile(#[case] is_known: bool) {
    let site = Site::new(&three());
    let daemon = in_step(&site);
    let version = remove(&site);
    site.system("crm").put("1", BOB);
    if is_known {
        site.notify("crm", "1");
        expect(&site, [BOB; 3]);
    }
    site.retcon(&["undo", "customer", "1", &version]).exits(0);
    site.notify("crm", "1");
    site.wait_until_at_rest();
    for source in ["billing", "crm", "shop"] {
        let mut documents = site.system(source).documents();
        documents.sort();
        assert_eq!(documents, [ANN, BOB], "in {source}");
    }
    assert_eq!(site.system("crm").get("1").as_deref(), Some(BOB));
    daemon.stop();
}

#[rstest]
#[case::at_once(&[], "")]
#[case::while_the_source_is_down(&["create", "read", "update", "delete"], EXIT_1)]
#[case::while_nothing_it_answers_can_be_understood(&["read"], "echo '{'; exit 0")]
fn an_undo_of_a_removal_that_was_none_makes_no_second_copy(#[case] operations: &[&str], #[case] fault: &str) {
    let site = Site::new(&three());
    let daemon = in_step(&site);
    site.system("crm").fault_everywhere("exit 2");
    site.notify("crm", "1");
    let version = record(&site)["version"].to_string();
    site.system("crm").heal();
    operations.iter().for_each(|operation| site.system("crm").fault(operation, fault));
    site.retcon(&["undo", "customer", "1", &version]).exits(0);
    site.system("crm").heal();
    tell(&site, "crm", "1");
    expect(&site, [ANN; 3]);
    assert_eq!((site.system("crm").only_key(), site.runs().count("crm", "create")), ("1".into(), 0));
    site.system("crm").put("1", ANNE);
    site.notify("crm", "1");
    expect(&site, [ANNE; 3]);
    daemon.stop();
}

/// In which order retcon comes to know of a deletion in crm and an edit in billing that cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    AtOnce,
    /// While billing is down, and edited there.
    DeletionFirst,
    /// While crm is down, and deleted there.
    EditFirst,
}

#[track_caller]
fn cross(site: &Site, order: Order) {
    let key = site.system("billing").only_key();
    match order {
        Order::AtOnce => {
            site.system("crm").remove("1");
            site.system("billing").put(&key, ANNE);
            site.notify("crm", "1");
        }
        Order::DeletionFirst => {
            site.system("billing").fault_everywhere(EXIT_1);
            site.system("crm").remove("1");
            tell(site, "crm", "1");
            until(|| site.system("shop").items().is_empty().then_some(()), || record(site).to_string());
            site.system("billing").put(&key, ANNE);
            site.system("billing").heal();
        }
        Order::EditFirst => {
            site.system("crm").fault_everywhere(EXIT_1);
            site.system("billing").put(&key, ANNE);
            tell(site, "billing", &key);
            until(|| (site.system("shop").documents() == [ANNE]).then_some(()), || record(site).to_string());
            site.system("crm").remove("1");
            site.system("crm").heal();
        }
    }
    tell(site, "crm", "1");
    tell(site, "billing", &key);
    site.wait_until_at_rest();
}

#[rstest]
fn an_edit_and_a_deletion_that_cross_are_a_conflict_that_a_person_decides(
    #[values(Order::AtOnce, Order::DeletionFirst, Order::EditFirst)] order: Order,
    #[values("--take=billing", "--take=crm", "--absent", "--keep")] decision: &str,
) {
    let site = Site::new(&three());
    let daemon = in_step(&site);
    cross(&site, order);
    let conflicts = site.get("/v1/conflicts");
    let conflict = &conflicts["items"][0];
    assert_eq!((&conflict["kind"], &conflict["path"]), (&"edit-delete".into(), &"".into()), "{conflicts}");
    assert_eq!(conflicts["items"].as_array().map(Vec::len), Some(1), "{conflicts}");
    // Nothing is written as long as it is open, however often it is looked at, and after a restart too.
    let writes = || ["create", "update", "delete"].map(|name| site.runs().count("billing", name));
    let before = writes();
    daemon.kill();
    let daemon = site.start();
    tell(&site, "billing", &site.system("billing").only_key());
    site.wait_until_at_rest();
    assert_eq!((site.system("billing").documents(), writes()), (vec![ANNE.to_owned()], before));

    let decided = site.retcon(&["resolve", &conflict["id"].to_string(), decision]);
    let (status, everywhere) = match (decision, order) {
        // Where one of the two is on record, nobody stands for it any more: it is what is kept.
        ("--take=billing", Order::EditFirst) | ("--take=crm", Order::DeletionFirst) => (1, ANNE),
        ("--take=billing", _) => (0, ANNE),
        ("--take=crm" | "--absent", _) | ("--keep", Order::DeletionFirst) => (0, ""),
        ("--keep", Order::AtOnce) => (0, ANN),
        (_, _) => (0, ANNE),
    };
    assert_eq!(decided.status, Some(status), "{decided}");
    if status == 0 {
        expect(&site, [everywhere; 3]);
        assert_eq!(site.get("/v1/conflicts")["items"].as_array().map(Vec::len), Some(0));
        let state = if everywhere.is_empty() { "deleted" } else { "live" };
        assert_eq!(record(&site)["state"], state);
    }
    daemon.stop();
}

#[rstest]
#[case::recreate("recreate", 2)]
#[case::unlink("unlink", 0)]
fn an_accepted_removal_is_held_whatever_it_would_do(#[case] on_delete: &str, #[case] created: usize) {
    let settings = format!("max_deletes = {{ count = 1, per = \"1h\" }}\non_delete = \"{on_delete}\"");
    let site = Site::with(&settings, &[Sh.source("billing"), Sh.source("crm")]);
    let daemon = site.start();
    for key in ["1", "2"] {
        site.system("crm").put(key, ANN);
        site.notify("crm", key);
        site.system("crm").remove(key);
        site.notify("crm", key);
    }
    site.wait_until_at_rest();
    assert_eq!(site.get("/v1/deletes")["items"][0]["key"], "2");
    assert_eq!(site.runs().count("crm", "create"), created / 2);
    site.retcon(&["deletes", "--approve"]).exits(0);
    site.wait_until_at_rest();
    assert_eq!(site.get("/v1/deletes")["items"].as_array().map(Vec::len), Some(0));
    assert_eq!((site.runs().count("crm", "create"), site.system("billing").items().len()), (created, 2));
    daemon.stop();
}
