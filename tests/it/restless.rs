//! Sources that rewrite what they hold, each in its way: they come to rest, and nothing that users wrote is lost.

mod habits;
mod random;

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::system::Language::C;
use habits::{Habit, Nights, When};

const UPPER: Habit = Habit(r#"s/"ext":"([^"]*)"/"ext":"\U\1"/"#);
const LOWER: Habit = Habit(r#"s/"ext":"([^"]*)"/"ext":"\L\1"/"#);

/// Two systems with an item that both hold.
fn two(settings: &str) -> Site {
    Site::with(settings, &[C.source("billing"), C.source("crm")])
}

#[track_caller]
fn begin<'a>(site: &'a Site, document: &str) -> Daemon<'a> {
    let daemon = site.start();
    site.system("crm").put("a", document);
    site.notify("crm", "a");
    daemon
}

#[test]
fn two_that_spell_a_value_each_in_its_way_come_to_rest_and_a_person_decides() {
    let site = two("");
    let daemon = begin(&site, r#"{"ext":"x1","name":"Ann"}"#);
    let nights = Nights::new(&site, [("billing", LOWER), ("crm", UPPER)]);
    let edits = nights.pass();
    let contenders =
        || serde_json::json!([{"sources": ["billing"], "value": "x1"}, {"sources": ["crm"], "value": "X1"}]);
    let first = nights.expect_stopped("/ext", contenders());
    let writes = nights.writes();
    assert!(edits <= 7 && writes <= edits + 1, "{edits} edits by the jobs, {writes} writes");
    let shown = site.retcon(&["conflicts"]).exits(0);
    assert!(shown.stdout().contains("docs/merging.md"), "{shown}");

    // Nothing is written there, and the rest goes on.
    site.system("crm").put("a", r#"{"ext":"X1","name":"Anne"}"#);
    site.notify("crm", "a");
    assert_eq!(site.system("billing").documents(), [r#"{"ext":"x1","name":"Anne"}"#]);
    assert_eq!((nights.pass(), nights.writes()), (0, writes + 1));

    // What a person decides is written; where the sources do not keep it, the same begins anew, and ends anew.
    site.retcon(&["resolve", &first, "--take", "billing"]).exits(0);
    site.wait_until_at_rest();
    assert_eq!(site.system("crm").documents(), [r#"{"ext":"x1","name":"Anne"}"#]);
    assert!(nights.pass() > 2);
    let second = nights.expect_stopped("/ext", contenders());
    assert_ne!(first, second);

    // It closes by itself when the sources agree.
    site.system("crm").put("a", r#"{"ext":"x1","name":"Anne"}"#);
    site.notify("crm", "a");
    assert_eq!(nights.conflicts(), Vec::<Value>::new());
    daemon.stop();
}

#[test]
fn a_source_that_rewrites_whatever_it_is_overruled_with_comes_to_rest() {
    let site = two("fields = { \"/ext\" = { merge_policy = \"trust-only:crm\" } }");
    let daemon = begin(&site, r#"{"ext":"X1"}"#);
    let nights = Nights::new(&site, [("billing", LOWER)]);
    assert_eq!(nights.pass(), 5);
    nights.expect_stopped(
        "/ext",
        serde_json::json!([{"sources": ["billing"], "value": "x1"}, {"sources": ["crm"], "value": "X1"}]),
    );
    daemon.stop();
}

#[test]
fn spellings_that_are_declared_equal_are_no_fight() {
    let site = two("fields = { \"/ext\" = { equal = [\"casefold\"] } }");
    let daemon = begin(&site, r#"{"ext":"x1"}"#);
    let nights = Nights::new(&site, [("billing", LOWER), ("crm", UPPER)]);
    assert_eq!((nights.pass(), nights.writes()), (1, 1));
    assert_eq!(nights.conflicts(), Vec::<Value>::new());
    daemon.stop();
}

#[rstest]
#[case::an_element_of_a_keyed_array(
    "arrays = { \"/phones\" = { key = \"type\" } }",
    r#"{"phones":[{"ext":"x1","type":"home"},{"ext":"7","type":"work"}]}"#,
    UPPER,
    LOWER,
    "/phones/home/ext"
)]
#[case::an_element_of_a_set(
    "arrays = { \"/tags\" = { set = true } }",
    r#"{"tags":["vip","x"]}"#,
    Habit(r#"s/"vip",|,"vip"//"#),
    Habit(r#"/vip/!s/"x"/"vip","x"/"#),
    "/tags"
)]
#[case::a_member_that_comes_and_goes(
    "",
    r#"{"fax":"","name":"Ann"}"#,
    Habit(r#"s/"fax":"",//"#),
    Habit(r#"/fax/!s/\{/{"fax":"",/"#),
    "/fax"
)]
#[case::the_order_of_an_array(
    "",
    r#"{"tags":["a","b"]}"#,
    Habit(r#"s/"a","b"/"b","a"/"#),
    Habit(r#"s/"b","a"/"a","b"/"#),
    "/tags"
)]
fn a_fight_is_ended_wherever_it_is(
    #[case] settings: &str,
    #[case] document: &str,
    #[case] crm: Habit,
    #[case] billing: Habit,
    #[case] path: &str,
) {
    let site = two(settings);
    let daemon = begin(&site, document);
    let nights = Nights::new(&site, [("billing", billing), ("crm", crm)]);
    let edits = nights.pass();
    assert!(edits <= 7, "{edits} edits");
    let conflicts = nights.conflicts();
    assert_eq!((conflicts.len(), &conflicts[0]["path"]), (1, &path.into()), "{conflicts:?}");
    assert_eq!(conflicts[0]["kind"], "oscillation", "{conflicts:?}");
    daemon.stop();
}

#[test]
fn sources_that_note_each_write_and_tell_of_it_come_to_rest() {
    let site =
        Site::with("", &[C.source("billing").with("read_back = false"), C.source("crm").with("read_back = false")]);
    for source in ["billing", "crm"] {
        // Counts its own writes, so that no two values are alike.
        let stamp = format!(r#"n=$(cat "$system/n" || echo 0); echo $((n + 1)) > "$system/n"; stamp={source}-$n"#);
        let shell = format!(
            "{stamp}\nsed -Ei 's/\"at\":\"[^\"]*\"/\"at\":\"'$stamp'\"/' \"$system\"/items/*.json\n{}",
            habits::notice(&site, source)
        );
        site.system(source).fault("update.after", &shell);
    }
    let daemon = begin(&site, r#"{"at":"never","name":"Ann"}"#);
    site.system("crm").put("a", r#"{"at":"never","name":"Anne"}"#);
    site.notify("crm", "a");
    site.wait_until_at_rest();
    let nights = Nights::new(&site, []);
    assert!(nights.writes() < 45, "{} writes", nights.writes());
    let conflicts = nights.conflicts();
    assert_eq!((conflicts.len(), &conflicts[0]["path"]), (1, &"/at".into()), "{conflicts:?}");
    assert!(site.system("billing").documents()[0].contains("Anne"));
    daemon.stop();
}

/// What billing and crm make of a document that has a place for each habit.
const TIDY: [(&str, Habit); 2] = [
    (
        "billing",
        Habit(
            r#"s/"ext":"([^"]*)"/"ext":"\L\1"/; s/"fax":"[^"]*",//; s/"amount":([0-9]+)\.0/"amount":\1/;
               /"lang"/!s/\{/{"lang":"en",/; s/\["b","a"/["a","b"/"#,
        ),
    ),
    (
        "crm",
        Habit(
            r#"s/"ext":"([^"]*)"/"ext":"\U\1"/; /"fax"/!s/\{/{"fax":"",/; s/"amount":([0-9]+)([^.0-9])/"amount":\1.0\2/;
               s/\{(.*),("name":"[^"]*")/{\2,\1/; s/\["a","b"/["b","a"/"#,
        ),
    ),
];

#[rstest]
fn sources_that_tidy_each_in_its_way_come_to_rest(
    #[values(When::AtOnce, When::AtOnceAndTells, When::Later)] when: When,
    #[values("\"auto\"", "true", "false")] read_back: &str,
) {
    let setting = format!("read_back = {read_back}");
    let site = Site::with("", &[C.source("billing").with(&setting), C.source("crm").with(&setting)]);
    let jobs: BTreeMap<&str, Habit> = TIDY.into();
    jobs.iter().for_each(|(source, habit)| habit.take_up(&site, source, when));
    let daemon = begin(&site, r#"{"amount":1.0,"ext":"x1","fax":"1","name":"Ann","tags":["b","a"]}"#);
    let nights = Nights::new(&site, if when == When::Later { jobs.into_iter().collect() } else { Vec::new() });
    nights.pass();
    let key = site.system("billing").only_key();
    for (source, key) in [("crm", "a"), ("billing", &key)] {
        let document =
            format!(r#"{{"amount":2.0,"ext":"U{source}","fax":"{source}","name":"{source}","tags":["b","a"]}}"#);
        site.system(source).put(key, &document);
        site.notify(source, key);
        nights.pass();
        for system in ["billing", "crm"] {
            let held = site.system(system).documents().concat();
            assert!(held.contains(&format!(r#""name":"{source}""#)), "{system}: {held}");
        }
        assert!(nights.accounts_for(source), "{source} is nowhere");
    }
    // Whoever looks again finds nothing to do, or comes to rest again.
    nights.settle(&[("crm", "a"), ("billing", &key)]);
    let looks = site.runs().started().filter(|run| run.operation == "read" && run.source == "crm").count();
    assert!(nights.writes() <= 40 && looks <= 90, "{} writes, {looks} looks", nights.writes());
    daemon.stop();
}
