//! What happens between retcon and sources that talk first, die late, or change under its hands.

use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::system::Language::Sh;
use crate::support::wait::until;

const ANN: &str = r#"{"email":"x","name":"Ann"}"#;
const BEA: &str = r#"{"email":"x","name":"Bea"}"#;

/// A piece of shell by which a data source notifies retcon of a key of its own.
fn notify(site: &Site, source: &str, key: &str) -> String {
    let (retcon, config) = (env!("CARGO_BIN_EXE_retcon"), site.path().join("retcon.toml"));
    format!("{retcon} --config {} notify customer {source} {key} >&2\n", config.display())
}

/// Puts Ann into crm and waits until billing has her.
#[track_caller]
fn introduce(site: &Site) -> Daemon<'_> {
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    assert_eq!(site.system("billing").documents(), [ANN]);
    daemon
}

fn two() -> [crate::support::system::SourceSpec; 2] {
    [Sh.source("billing"), Sh.source("crm")]
}

#[test]
fn a_source_that_tells_of_its_new_key_before_it_has_printed_it_makes_no_second_record() {
    let site = Site::new(&two());
    site.system("billing").fault("create.after", &notify(&site, "billing", "sh-1"));
    let daemon = introduce(&site);
    site.wait_until_at_rest();
    assert_eq!(site.get("/v1/records/customer")["items"].as_array().map(Vec::len), Some(1));
    assert_eq!((site.system("crm").documents().len(), site.system("billing").documents().len()), (1, 1));
    assert_eq!(site.runs().count("crm", "create") + site.runs().count("billing", "create"), 1);
    daemon.stop();
}

#[test]
fn a_create_that_dies_after_it_took_effect_is_in_doubt_and_its_own_notification_settles_it() {
    let site = Site::new(&two());
    site.system("billing").fault("create.after", "kill -9 $$\n");
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    let told = site.notify("crm", "a");
    assert!(told.stdout().contains("in-doubt"), "{told}");
    let record = site.get("/v1/records/customer/1");
    assert_eq!(record["links"][0]["state"], "in-doubt", "{record}");
    site.notify("crm", "a");
    assert_eq!(site.runs().count("billing", "create"), 1, "what is in doubt is not repeated");
    site.notify("billing", "sh-1");
    let record = site.get("/v1/records/customer/1");
    assert_eq!(
        (&record["links"][0]["state"], &record["links"][0]["key"]),
        (&"linked".into(), &"sh-1".into()),
        "{record}"
    );
    assert_eq!(site.get("/v1/records/customer")["items"].as_array().map(Vec::len), Some(1));
    daemon.stop();
}

#[test]
fn a_create_that_took_effect_and_says_otherwise_is_found_by_listing() {
    let list =
        format!("list = [{:?}, \"systems/billing\", \"list\"]", crate::support::system::testing("sources/plain.sh"));
    let site = Site::new(&[Sh.source("billing").with(&list), Sh.source("crm")]);
    site.system("billing").fault("create.after", "exit 1\n");
    let daemon = site.start();
    site.system("billing").put("other", r#"{"email":"y","name":"Cid"}"#);
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(
        || (site.get("/v1/records/customer?limit=1")["items"][0]["links"].as_array()?.len() == 2).then_some(()),
        || daemon.log_text(),
    );
    site.system("billing").heal();
    site.notify("crm", "a");
    assert_eq!(site.runs().count("billing", "create"), 1);
    assert_eq!(site.get("/v1/records/customer/1")["links"][0]["key"], "sh-1");
    daemon.stop();
}

#[test]
fn a_create_that_may_be_repeated_is_repeated_under_its_own_id_with_the_same_bytes() {
    let site = Site::new(&[Sh.source("billing").with("create_is_idempotent = true"), Sh.source("crm")]);
    let dir = site.system("billing").dir().to_owned();
    let fault = "cat > \"$system/stdin\"; cat \"$system/stdin\" >> \"$system/sent\"\n\
                 [ -e \"$system/died\" ] || { : > \"$system/died\"; kill -9 $$; }\n\
                 \"$@\" < \"$system/stdin\"; exit\n";
    site.system("billing").fault("create", fault);
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    site.wait_until_at_rest();
    let runs = site.runs();
    let ids: Vec<_> = runs.started().filter(|run| run.operation == "create").map(|run| &run.operation_id).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert_eq!(ids[0], ids[1]);
    assert_eq!(std::fs::read_to_string(dir.join("sent")).expect("what was sent"), format!("{ANN}\n{ANN}\n"));
    assert_eq!(site.system("billing").documents(), [ANN]);
    daemon.stop();
}

#[test]
fn an_update_that_took_effect_and_says_otherwise_is_no_edit() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("billing").fault("update.after", "exit 1\n");
    site.system("crm").put("a", BEA);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| (site.runs().count("billing", "update") > 0).then_some(()), || daemon.log_text());
    site.system("billing").heal();
    site.wait_until_at_rest();
    assert_eq!(site.get("/v1/records/customer/1")["version"], 2);
    assert_eq!(
        (site.system("crm").documents(), site.system("billing").documents()),
        (vec![BEA.into()], vec![BEA.into()])
    );
    assert_eq!(site.runs().count("crm", "update"), 0, "it is never written back");
    daemon.stop();
}

#[test]
fn a_copy_edited_between_its_reading_and_its_write_is_not_overwritten() {
    let site = Site::new(&[Sh.source("billing").with("recheck = \"0s\""), Sh.source("crm")]);
    let daemon = introduce(&site);
    // The second reading of a look is the one right before the write: somebody was faster.
    let edit = r#"[ -e "$system/read" ] && ! [ -e "$system/edited" ] && {
        : > "$system/edited"; echo '{"email":"mine","name":"Ann"}' > "$system/items/$RETCON_KEY.json"; }
        : > "$system/read""#;
    site.system("billing").fault("read", edit);
    site.system("crm").put("a", BEA);
    site.notify("crm", "a");
    site.wait_until_at_rest();
    let both = r#"{"email":"mine","name":"Bea"}"#;
    assert_eq!(site.system("billing").documents(), [both]);
    assert_eq!(site.system("crm").documents(), [both]);
    daemon.stop();
}

#[test]
fn a_notification_for_a_former_key_finds_its_record() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("billing").set("rekey");
    site.system("crm").put("a", BEA);
    site.notify("crm", "a");
    let record = site.get("/v1/records/customer/1");
    assert_eq!(record["links"][0]["key"], "sh-2", "{record}");
    site.notify("billing", "sh-1");
    assert_eq!(site.get("/v1/records/customer")["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(site.get("/v1/records/customer?source=billing&key=sh-1")["items"][0]["id"], 1);
    daemon.stop();
}

#[test]
fn a_daemon_killed_while_a_create_runs_comes_back_with_a_doubt_and_not_with_a_second_copy() {
    let site = Site::new(&two());
    site.system("billing").fault("create.after", ": > \"$system/created\"; sleep 1000\n");
    let daemon = site.start();
    site.system("crm").put("a", ANN);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    until(|| site.system("billing").dir().join("created").exists().then_some(()), || daemon.log_text());
    daemon.kill();
    site.system("billing").heal();
    let daemon = site.start();
    site.wait_until_at_rest();
    assert_eq!(site.get("/v1/records/customer/1")["links"][0]["state"], "in-doubt");
    site.notify("crm", "a");
    assert_eq!(site.runs().count("billing", "create"), 1);
    site.notify("billing", "sh-1");
    assert_eq!(site.get("/v1/records/customer/1")["links"][0]["state"], "linked");
    assert_eq!(site.system("billing").documents(), [ANN]);
    daemon.stop();
}

#[test]
fn a_create_that_gives_the_key_of_another_record_is_in_doubt_and_keeps_nobody_waiting() {
    let site = Site::with("match = [\"/email\"]", &two());
    let daemon = introduce(&site);
    let (bea, cid) = (r#"{"email":"y","name":"Bea"}"#, r#"{"email":"z","name":"Cid"}"#);
    site.system("billing").fault("create", "cat > /dev/null; echo sh-1; exit 0\n");
    site.system("crm").put("b", bea);
    let told = site.notify("crm", "b");
    assert!(told.stdout().contains("in-doubt"), "{told}");
    site.system("billing").heal();
    site.system("billing").put("c", cid);
    site.notify("billing", "c");
    assert_eq!(site.system("crm").documents().len(), 3);
    let status = site.get("/v1/status");
    assert_eq!((&status["entities"][0]["in_doubt"], &status["entities"][0]["records"]), (&1.into(), &3.into()));
    assert_eq!(site.get("/v1/records/customer/1")["links"][0]["key"], "sh-1");
    daemon.stop();
}

#[test]
fn work_that_begins_to_wait_for_a_source_after_its_probe_was_due_is_done_once_the_source_is_back() {
    let site = Site::new(&two());
    let daemon = introduce(&site);
    site.system("billing").fault_everywhere("exit 1\n");
    site.system("crm").fault("read", "until [ -e \"$system/go\" ]; do sleep 0.01; done\n");
    site.system("crm").put("a", BEA);
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    let billing = || site.get("/v1/status")["entities"][0]["sources"][0].clone();
    until(|| (billing()["next_probe_ms"] == 0).then_some(()), || billing().to_string());
    site.system("billing").heal();
    site.system("crm").set("go");
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [BEA]);
    daemon.stop();
}

#[test]
fn work_of_a_source_that_is_not_configured_now_waits_for_its_return() {
    let site = Site::new(&two());
    site.system("crm").fault_everywhere("exit 1\n");
    site.system("crm").put("a", ANN);
    let daemon = site.start();
    site.retcon(&["notify", "customer", "crm", "a"]).exits(0);
    let item = || site.get("/v1/work-items/1");
    until(|| (item()["state"] == "waiting").then_some(()), || item().to_string());
    daemon.stop();

    let config = std::fs::read_to_string(site.path().join("retcon.toml")).expect("the configuration");
    let (without, _) = config.split_once("[entities.customer.sources.crm]").expect("its table is the last");
    site.write("retcon.toml", without);
    let daemon = site.start();
    until(|| item()["last_error"].as_str()?.contains("not configured").then_some(()), || item().to_string());
    until(|| (item()["state"] == "waiting").then_some(()), || item().to_string());
    for _ in 0..100 {
        assert_eq!(item()["state"], "waiting", "it is looked at again and again");
    }
    daemon.stop();

    site.write("retcon.toml", &config);
    site.system("crm").heal();
    let daemon = site.start();
    site.wait_until_at_rest();
    assert_eq!(site.system("billing").documents(), [ANN]);
    daemon.stop();
}
