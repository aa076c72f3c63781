//! Sources that fail: nobody deletes for it, nothing is reverted, and once they are well everything is in step.

use rstest::rstest;

use crate::support::site::Site;
use crate::support::system::Language::Sh;
use crate::support::system::{SourceSpec, json};
use crate::support::wait::until;

const ANN: &str = r#"{"name":"Ann","email":"ann@example.com"}"#;
const ANNE: &str = r#"{"name":"Anne","email":"ann@example.com"}"#;
const ANNE_AT_WORK: &str = r#"{"name":"Anne","email":"anne@work.example"}"#;
const SOURCES: [&str; 3] = ["billing", "crm", "shop"];

const EXIT_1: &str = "echo 'cannot connect' >&2; exit 1";
const EXIT_3: &str = "echo 'not today' >&2; exit 3";
const EXIT_9: &str = "exit 9";
const TIME_OUT: &str = "sleep 600";
const DIE: &str = "kill -9 $$";
const GARBAGE: &str = r#"echo '{"name": nonsense'; exit 0"#;
const NOTHING: &str = "exit 0";
const FLOOD: &str = "head -c 20000000 /dev/zero | tr '\\0' '7'; exit 0";
const FLOOD_OF_STDERR: &str = "head -c 20000000 /dev/zero >&2; exit 1";

fn three() -> Site {
    let sources: Vec<SourceSpec> =
        SOURCES.iter().map(|name| Sh.source(name).with("timeout = \"2s\"\nread_back = false")).collect();
    Site::new(&sources)
}

/// Puts Ann into all three systems; gives her key in billing.
#[track_caller]
fn create_ann(site: &Site) -> String {
    site.system("crm").put("1", ANN);
    site.notify("crm", "1");
    expect_everywhere(site, ANN);
    site.system("billing").only_key()
}

#[track_caller]
fn expect_everywhere(site: &Site, document: &str) {
    for source in SOURCES {
        assert_eq!(site.system(source).documents(), [json(document)], "in {source}");
    }
}

#[track_caller]
fn wait_for(site: &Site, source: &str, document: &str) {
    let wanted = [json(document)];
    until(
        || (site.system(source).documents() == wanted).then_some(()),
        || format!("{source} holds {:?}, {:#?}", site.system(source).documents(), site.runs()),
    );
}

#[track_caller]
fn expect_no_deletion(site: &Site) {
    for source in SOURCES {
        assert_eq!(site.runs().count(source, "delete"), 0, "{:#?}", site.runs());
    }
}

/// Notifies of the customer and waits; whether the look ends well or is parked does not matter.
fn look(site: &Site) {
    site.retcon(&["notify", "customer", "crm", "1"]).exits(0);
}

#[rstest]
#[case::exit_1(EXIT_1)]
#[case::exit_3(EXIT_3)]
#[case::exit_9(EXIT_9)]
#[case::time_out(TIME_OUT)]
#[case::killed(DIE)]
#[case::garbage(GARBAGE)]
#[case::nothing(NOTHING)]
#[case::flood(FLOOD)]
#[case::flood_of_stderr(FLOOD_OF_STDERR)]
fn a_source_that_fails_deletes_nothing_and_is_brought_in_step_later(#[case] fault: &str) {
    let site = three();
    let daemon = site.start();
    create_ann(&site);
    site.system("billing").fault_everywhere(fault);
    site.system("crm").put("1", ANNE);
    look(&site);
    wait_for(&site, "shop", ANNE);
    let failed = site.runs().count("billing", "read");
    look(&site);
    until(|| (site.runs().count("billing", "read") > failed).then_some(()), || "billing is not asked again");
    assert_eq!(site.system("crm").documents(), [json(ANNE)]);
    assert_eq!(site.system("shop").documents(), [json(ANNE)]);
    assert_eq!(site.system("billing").documents(), [json(ANN)]);
    expect_no_deletion(&site);

    site.system("billing").heal();
    site.notify("crm", "1");
    site.wait_until_at_rest();
    expect_everywhere(&site, ANNE);
    expect_no_deletion(&site);
    site.runs().assert_none_meet();
    assert_eq!(site.get("/v1/conflicts")["items"].as_array().map(Vec::len), Some(0));
    daemon.stop();
}

#[rstest]
#[case::exit_1("update", EXIT_1)]
#[case::exit_3("update", EXIT_3)]
#[case::exit_9("update", EXIT_9)]
#[case::killed_before_it_took_effect("update", DIE)]
#[case::killed_after_it_took_effect("update.after", DIE)]
#[case::exit_1_after_it_took_effect("update.after", EXIT_1)]
#[case::time_out_after_it_took_effect("update.after", TIME_OUT)]
fn a_write_that_fails_in_one_of_three_sources_is_made_up_for_later_and_reverts_nothing(
    #[case] operation: &str,
    #[case] fault: &str,
) {
    let site = three();
    let daemon = site.start();
    create_ann(&site);
    site.system("billing").fault(operation, fault);
    site.system("crm").put("1", ANNE);
    look(&site);
    wait_for(&site, "shop", ANNE);
    until(|| (site.runs().count("billing", "update") > 0).then_some(()), || "billing is not written");
    // Another edit elsewhere, while billing lags behind: its old value is no edit of its own.
    site.system("shop").put(&site.system("shop").only_key(), ANNE_AT_WORK);
    site.retcon(&["notify", "customer", "shop", &site.system("shop").only_key()]).exits(0);
    wait_for(&site, "crm", ANNE_AT_WORK);
    assert_eq!(site.system("shop").documents(), [json(ANNE_AT_WORK)]);

    site.system("billing").heal();
    site.notify("crm", "1");
    site.wait_until_at_rest();
    expect_everywhere(&site, ANNE_AT_WORK);
    expect_no_deletion(&site);
    let history = site.get("/v1/records/customer/1/history");
    assert_eq!(history["items"].as_array().map(Vec::len), Some(3), "created, edited, edited: {history}");
    assert_eq!(site.runs().count("crm", "update"), 1, "crm was never reverted: {:#?}", site.runs());
    assert_eq!(site.get("/v1/conflicts")["items"].as_array().map(Vec::len), Some(0));
    daemon.stop();
}

#[rstest]
#[case::exit_1(EXIT_1)]
#[case::exit_3(EXIT_3)]
#[case::time_out(TIME_OUT)]
fn a_deletion_that_fails_in_one_source_is_made_up_for_later(#[case] fault: &str) {
    let site = three();
    let daemon = site.start();
    create_ann(&site);
    site.system("billing").fault("delete", fault);
    site.system("crm").remove("1");
    look(&site);
    until(|| site.system("shop").items().is_empty().then_some(()), || "the shop keeps her");
    until(|| (site.runs().count("billing", "delete") > 0).then_some(()), || "billing is not told");
    assert!(site.system("crm").items().is_empty());

    site.system("billing").heal();
    site.notify("shop", &first_key_of(&site, "shop"));
    site.wait_until_at_rest();
    for source in SOURCES {
        assert!(site.system(source).items().is_empty(), "{source} holds {:?}", site.system(source).items());
    }
    assert_eq!(site.runs().count("crm", "create"), 0, "{:#?}", site.runs());
    assert_eq!(site.runs().count("shop", "create"), 1, "{:#?}", site.runs());
    daemon.stop();
}

/// The key under which a source had its first copy.
#[track_caller]
fn first_key_of(site: &Site, source: &str) -> String {
    let runs = site.runs();
    let run = runs.started().find(|run| run.source == source && !run.key.is_empty());
    run.expect("a run with a key").key.clone()
}

#[test]
fn a_create_that_fails_with_exit_1_is_made_once_the_source_is_well() {
    let site = three();
    site.system("billing").fault("create", EXIT_1);
    let daemon = site.start();
    site.system("crm").put("1", ANN);
    look(&site);
    wait_for(&site, "shop", ANN);
    until(|| (site.runs().count("billing", "create") > 0).then_some(()), || "billing is not asked");
    site.system("billing").heal();
    site.wait_until_at_rest();
    expect_everywhere(&site, ANN);
    assert_eq!(site.runs().count("shop", "create"), 1);
    daemon.stop();
}

#[test]
fn a_deletion_that_was_a_mistake_is_taken_back() {
    let site = three();
    let daemon = site.start();
    let key = create_ann(&site);
    site.system("billing").remove(&key);
    site.notify("billing", &key);
    let record = site.get("/v1/records/customer/1");
    assert_eq!(record["state"], "deleted", "{record}");
    let version = record["version"].to_string();
    site.retcon(&["undo", "customer", "1", &version]).exits(0);
    site.wait_until_at_rest();
    expect_everywhere(&site, ANN);
    daemon.stop();
}
