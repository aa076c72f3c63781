//! `max_changes`: past it, what changed at one source waits for a person: a system restored from a backup reads as many edits.

use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::system::Language::{C, Sh};
use crate::support::wait::until;

const LIMIT: &str = "max_changes = { count = 3, per = \"1h\" }";

fn site(settings: &str) -> Site {
    Site::with(settings, &[C.source("billing").with("read_back = false"), C.source("crm").with("read_back = false")])
}

fn old(n: usize) -> String {
    format!(r#"{{"age":1,"name":"customer {n}"}}"#)
}

fn new(n: usize) -> String {
    format!(r#"{{"age":2,"name":"customer {n}"}}"#)
}

#[track_caller]
fn notify(site: &Site, source: &str, keys: &[String]) {
    let one = |key: &String| json!({"entity": "customer", "source": source, "key": key});
    let batch = json!({ "notifications": keys.iter().map(one).collect::<Vec<_>>() });
    site.http("POST", "/v1/notifications", Some(&batch.to_string())).has_status(202);
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("k{n}")).collect()
}

/// Customers in both systems, taken over before there is a limit.
fn in_step<'a>(site: &'a Site, count: usize, settings: &str) -> Daemon<'a> {
    let daemon = site.start();
    keys(count).iter().enumerate().for_each(|(n, key)| site.system("crm").put(key, &new(n)));
    notify(site, "crm", &keys(count));
    site.wait_until_at_rest();
    let config = std::fs::read_to_string(site.path().join("retcon.toml")).expect("the configuration");
    site.write("retcon.toml", &config.replace("[entities.customer]\n", &format!("[entities.customer]\n{settings}\n")));
    site.retcon(&["reload"]).exits(0);
    daemon
}

#[track_caller]
fn parked(site: &Site) -> Vec<Value> {
    site.get("/v1/work-items?state=parked&limit=1000")["items"].as_array().expect("a list").clone()
}

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| item["id"].to_string()).collect()
}

fn with(verb: &str, ids: &[String]) -> Vec<String> {
    [verb.to_owned()].into_iter().chain(ids.iter().cloned()).collect()
}

#[track_caller]
fn tell(site: &Site, verb: &str, items: &[Value]) {
    let words = with(verb, &ids(items));
    site.retcon(&words.iter().map(String::as_str).collect::<Vec<_>>()).exits(0);
}

/// How many of billing's documents are as in the backup.
fn spread(site: &Site) -> usize {
    site.system("billing").documents().iter().filter(|document| document.contains(r#""age":1"#)).count()
}

#[test]
fn a_restored_backup_spreads_no_further_than_the_limit_and_is_let_pass_or_refused_by_a_person() {
    const ALL: usize = 40;
    let site = site("");
    let daemon = in_step(&site, ALL, LIMIT);
    (0..ALL).for_each(|n| site.system("crm").put(&format!("k{n}"), &old(n)));
    notify(&site, "crm", &keys(ALL));
    site.wait_until_at_rest();
    let waiting = parked(&site);
    assert_eq!((spread(&site), waiting.len()), (3, ALL - 3));
    let reason = waiting[0]["last_error"].as_str().expect("why").to_owned();
    for word in ["crm: ", "max_changes (3 in 1h)", "consent"] {
        assert!(reason.contains(word), "no {word:?} in {reason}");
    }
    site.retcon(&["status"]).exits(1);

    // Told of again, also after a restart, they wait still, and the others are not touched by it.
    notify(&site, "crm", &keys(ALL));
    site.wait_until_at_rest();
    daemon.kill();
    let daemon = site.start();
    site.wait_until_at_rest();
    assert_eq!((spread(&site), parked(&site).len()), (3, ALL - 3));
    assert_eq!(site.runs().count("billing", "update"), 3);

    // A person lets ten of them pass, many at once, whatever the limit; to drop one spreads nothing.
    let waiting = parked(&site);
    tell(&site, "retry", &waiting[..10]);
    site.wait_until_at_rest();
    assert_eq!((spread(&site), parked(&site).len()), (13, ALL - 13));
    tell(&site, "drop", &waiting[10..12]);
    assert_eq!((spread(&site), parked(&site).len()), (13, ALL - 15));

    // The rest is put right at the source: then there is nothing to accept.
    (0..ALL).filter(|n| !accepted(&site, *n)).for_each(|n| site.system("crm").put(&format!("k{n}"), &new(n)));
    tell(&site, "retry", &parked(&site));
    site.wait_until_at_rest();
    assert_eq!((spread(&site), parked(&site).len()), (13, 0));
    let mut documents = (site.system("billing").documents(), site.system("crm").documents());
    documents.0.sort();
    documents.1.sort();
    assert_eq!(documents.0, documents.1);
    site.retcon(&["status"]).exits(0);
    site.runs().assert_none_meet();
    daemon.stop();
}

fn accepted(site: &Site, n: usize) -> bool {
    site.system("billing").documents().contains(&old(n))
}

#[test]
fn new_items_count_and_a_held_one_is_made_nowhere_until_it_is_let_pass() {
    let site = site("max_changes = { count = 2, per = \"1h\" }");
    let daemon = site.start();
    (0..5).for_each(|n| site.system("crm").put(&format!("k{n}"), &new(n)));
    notify(&site, "crm", &keys(5));
    site.wait_until_at_rest();
    let waiting = parked(&site);
    assert_eq!((site.system("billing").items().len(), waiting.len()), (2, 3));
    assert_eq!(site.runs().count("billing", "create"), 2);
    // Each source has a limit of its own.
    site.system("billing").put("b", &new(9));
    site.notify("billing", "b");
    assert_eq!(site.system("crm").items().len(), 6);
    tell(&site, "retry", &waiting);
    site.wait_until_at_rest();
    assert_eq!((site.system("billing").items().len(), parked(&site).len()), (6, 0));
    daemon.stop();
}

#[test]
fn a_look_counts_once_and_echoes_own_writes_and_corrections_never() {
    let tidying = "python3 - \"$system\" <<'EOF'\nimport glob, json, sys\nfor path in glob.glob(sys.argv[1] + '/items/*.json'):\n    \
                   item = json.load(open(path))\n    item['name'] = item['name'].strip()\n    \
                   json.dump(item, open(path, 'w'))\nEOF\n";
    let site = Site::with(
        "max_changes = { count = 4, per = \"1h\" }\nfields.\"/rank\".merge_policy = \"trust-only:crm\"",
        &[Sh.source("billing"), Sh.source("crm")],
    );
    site.system("billing").fault("create.after", tidying);
    site.system("billing").fault("update.after", tidying);
    let daemon = site.start();
    let edit = |source: &str, key: &str, document: &str| {
        site.system(source).put(key, document);
        site.notify(source, key);
        site.wait_until_at_rest();
    };
    // One: the birth. What billing makes of it is no edit of billing's.
    edit("crm", "k", r#"{"a":1,"b":1,"name":" Ann ","rank":1}"#);
    let key = site.system("billing").only_key();
    (0..3).for_each(|_| drop(site.notify("billing", &key)));
    // Two: three members at once.
    edit("crm", "k", r#"{"a":2,"b":2,"c":2,"name":" Ann ","rank":1}"#);
    // An echo of what is agreed, and what is overruled, count for nothing.
    for rank in 2..6 {
        let document = format!(r#"{{"a":2,"b":2,"c":2,"name":"Ann","rank":{rank}}}"#);
        edit("billing", &key, &document);
    }
    assert!(site.system("billing").documents()[0].contains(r#""rank":1"#));
    let counted = crate::support::postgres::block_on(crate::support::store::rows(
        site.database(),
        "select source, count(*) from counted_change group by source",
    ));
    assert_eq!(counted, ["crm|2"]);
    // Billing's own edits count for billing.
    for n in 3..7 {
        edit("billing", &key, &format!(r#"{{"a":{n},"b":2,"c":2,"name":"Ann","rank":1}}"#));
    }
    assert_eq!(parked(&site).len(), 0);
    site.system("billing").put(&key, r#"{"a":7,"b":2,"c":2,"name":"Ann","rank":1}"#);
    site.retcon(&["notify", "customer", "billing", &key, "--wait"]).exits(1);
    assert_eq!(parked(&site).len(), 1);
    daemon.stop();
}

#[test]
fn what_another_source_changed_spreads_while_a_change_is_held() {
    let sources = ["billing", "crm", "shop"].map(|name| C.source(name).with("read_back = false"));
    let site = Site::with("", &sources);
    let daemon = in_step(&site, 2, "max_changes = { count = 1, per = \"1h\" }");
    let key_of = |source: &str| {
        let items = site.system(source).items();
        items.into_iter().find(|(_, document)| *document == new(1)).expect("it is there").0
    };
    let billing = key_of("billing");
    for n in 0..2 {
        site.system("crm").put(&format!("k{n}"), &old(n));
        site.retcon(&["notify", "customer", "crm", &format!("k{n}"), "--wait"]).exits(n.try_into().expect("small"));
    }
    site.system("billing").put(&billing, r#"{"age":2,"name":"renamed"}"#);
    site.retcon(&["notify", "customer", "billing", &billing]).exits(0);
    until(
        || site.system("shop").documents().contains(&r#"{"age":2,"name":"renamed"}"#.to_owned()).then_some(()),
        || daemon.log_text(),
    );
    site.wait_until_at_rest();
    assert_eq!(site.system("crm").get("k1"), Some(old(1)), "nothing is written over what is held");
    // Consent given while the source is away waits for it.
    site.system("crm").fault("read", "exit 1");
    tell(&site, "retry", &parked(&site));
    until(
        || (site.get("/v1/status")["entities"][0]["queue"]["waiting"] != 0).then_some(()),
        || site.get("/v1/status").to_string(),
    );
    site.system("crm").heal();
    site.wait_until_at_rest();
    assert_eq!(parked(&site).len(), 0);
    for source in ["billing", "crm", "shop"] {
        assert!(
            site.system(source).documents().contains(&r#"{"age":1,"name":"renamed"}"#.to_owned()),
            "{source}: {:?}",
            site.system(source).documents()
        );
    }
    daemon.stop();
}
