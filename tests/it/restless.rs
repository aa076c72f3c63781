//! Sources that rewrite what they hold, each in its way, after retcon has written it: they come to rest.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::system::Language::C;
use crate::support::system::json;

/// What a system makes of a document; one that makes nothing else of it leaves it alone.
type Habit = fn(&mut Value);

/// A site whose systems have nightly jobs.
struct Nights<'a> {
    site: &'a Site,
    jobs: BTreeMap<&'static str, Habit>,
    edits: Cell<usize>,
}

impl<'a> Nights<'a> {
    fn new<const N: usize>(site: &'a Site, jobs: [(&'static str, Habit); N]) -> Self {
        Self { site, jobs: jobs.into(), edits: Cell::new(0) }
    }

    /// Runs the jobs, one system after the other, and again until none finds anything to do; gives how many edits they made.
    #[track_caller]
    fn pass(&self) -> usize {
        let before = self.edits.get();
        for night in 0.. {
            assert!(night < 40, "they do not come to rest: {:#}", self.site.get("/v1/records/customer/1/history"));
            let edited: Vec<bool> = self.jobs.keys().map(|source| self.run_job(source)).collect();
            if !edited.contains(&true) {
                break;
            }
        }
        self.edits.get() - before
    }

    /// Runs one system's job and waits until retcon has dealt with what it did.
    #[track_caller]
    fn run_job(&self, source: &'static str) -> bool {
        let system = self.site.system(source);
        let mut edited = false;
        for (key, document) in system.items() {
            let mut value: Value = serde_json::from_str(&document).expect("JSON");
            self.jobs[source](&mut value);
            if json(&value.to_string()) != document {
                system.put(&key, &value.to_string());
                self.edits.set(self.edits.get() + 1);
                self.site.notify(source, &key);
                edited = true;
            }
        }
        self.site.wait_until_at_rest();
        edited
    }

    /// The number of runs that changed something.
    fn writes(&self) -> usize {
        self.site.runs().started().filter(|run| run.operation != "read").count()
    }

    #[track_caller]
    fn conflicts(&self) -> Vec<Value> {
        self.site.get("/v1/conflicts")["items"].as_array().expect("a list").clone()
    }

    /// Expects that the only conflict is one between sources that undo each other, and gives its number.
    #[track_caller]
    fn expect_stopped(&self, path: &str, contenders: Value) -> String {
        let conflicts = self.conflicts();
        assert_eq!(conflicts.len(), 1, "{conflicts:?}");
        let conflict = &conflicts[0];
        assert_eq!((&conflict["kind"], &conflict["path"]), (&"oscillation".into(), &path.into()), "{conflict}");
        assert_eq!(conflict["contenders"], contenders, "{conflict}");
        conflict["id"].to_string()
    }
}

fn set(document: &mut Value, member: &str, make: impl Fn(&str) -> String) {
    if let Some(text) = document[member].as_str() {
        document[member] = make(text).into();
    }
}

fn upper(document: &mut Value) {
    set(document, "ext", str::to_uppercase);
}

fn lower(document: &mut Value) {
    set(document, "ext", str::to_lowercase);
}

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
    let nights = Nights::new(&site, [("billing", lower), ("crm", upper)]);
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
