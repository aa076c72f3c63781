//! Systems with habits: what they make of the documents that they hold, and when.

use std::cell::Cell;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::postgres::block_on;
use crate::support::program::run;
use crate::support::site::Site;
use crate::support::store::rows;

/// What a system makes of a document, as a script for `sed -E`; of its own work it makes nothing else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habit(pub(crate) &'static str);

/// When a system does what it is used to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// While it stores what it is given.
    AtOnce,
    /// Likewise, and it notifies of every write.
    AtOnceAndTells,
    /// At night, by a job that notifies of what it has changed.
    Later,
}

/// A piece of shell by which a source notifies of all its items.
pub(crate) fn notice(site: &Site, source: &str) -> String {
    let (retcon, config) = (env!("CARGO_BIN_EXE_retcon"), site.path().join("retcon.toml"));
    format!(
        "for item in \"$system\"/items/*.json; do\n\
         {retcon} --config {} notify customer {source} -- \"$(basename \"$item\" .json)\" >&2\ndone\n",
        config.display()
    )
}

impl Habit {
    /// Has the system do it whenever it stores something, if it does so at once.
    pub(crate) fn take_up(&self, site: &Site, source: &str, when: When) {
        let script = site.write(&format!("{source}.sed"), self.0);
        let tidy = format!("sed -Ei -f {} \"$system\"/items/*.json\n", script.display());
        let shell = match when {
            When::AtOnce => tidy,
            When::AtOnceAndTells => tidy + &notice(site, source),
            When::Later => return,
        };
        for operation in ["create.after", "update.after"] {
            site.system(source).fault(operation, &shell);
        }
    }

    /// Returns what it makes of a document.
    fn make(&self, document: &str) -> String {
        let run = run(Command::new("sed").args(["-E", self.0]), document.as_bytes()).exits(0);
        run.stdout()
    }
}

/// A site whose systems have nightly jobs.
pub(crate) struct Nights<'a> {
    site: &'a Site,
    jobs: Vec<(&'static str, Habit)>,
    edits: Cell<usize>,
}

impl<'a> Nights<'a> {
    pub(crate) fn new(site: &'a Site, jobs: impl IntoIterator<Item = (&'static str, Habit)>) -> Self {
        Self { site, jobs: jobs.into_iter().collect(), edits: Cell::new(0) }
    }

    /// Waits for rest and runs the jobs, one after the other, again and again until none finds anything to do; gives how
    /// many edits they made.
    #[track_caller]
    pub(crate) fn pass(&self) -> usize {
        let before = self.edits.get();
        self.site.wait_until_at_rest();
        for night in 0.. {
            assert!(night < 40, "they do not come to rest: {}", self.history());
            let edited: Vec<bool> = self.jobs.iter().map(|(source, habit)| self.run_job(source, *habit)).collect();
            if !edited.contains(&true) {
                break;
            }
        }
        self.edits.get() - before
    }

    /// Runs one system's job and waits until retcon has dealt with what it did.
    #[track_caller]
    pub(crate) fn run_job(&self, source: &str, habit: Habit) -> bool {
        let system = self.site.system(source);
        let mut edited = false;
        for key in system.items().into_keys() {
            let document = system.get(&key).expect("nobody deletes");
            let tidied = habit.make(&document);
            if tidied != document {
                system.put(&key, &tidied);
                self.edits.set(self.edits.get() + 1);
                self.site.retcon(&["notify", "customer", source, "--", &key]).exits(0);
                edited = true;
            }
        }
        self.site.wait_until_at_rest();
        edited
    }

    /// Has every copy looked at again, until that leads to no write any more.
    #[track_caller]
    pub(crate) fn settle(&self, copies: &[(&str, &str)]) {
        for look in 0.. {
            assert!(look < 40, "they do not come to rest: {}", self.history());
            let before = self.writes();
            for (source, key) in copies {
                self.site.retcon(&["notify", "customer", source, "--", key]).exits(0);
            }
            self.pass();
            if self.writes() == before {
                break;
            }
        }
    }

    /// The number of runs that changed something.
    pub(crate) fn writes(&self) -> usize {
        self.site.runs().started().filter(|run| run.operation != "read").count()
    }

    /// Says whether a word that a user wrote, in whatever spelling, is in a copy, in a conflict or in the history.
    #[track_caller]
    pub(crate) fn accounts_for(&self, word: &str) -> bool {
        let systems = fs::read_dir(self.site.path().join("systems")).expect("the systems").flatten();
        let systems = systems.filter(|system| system.path().is_dir());
        let names = systems.map(|system| system.file_name().into_string().expect("names are ASCII"));
        let mut held: Vec<String> = names.flat_map(|name| self.site.system(&name).documents()).collect();
        // What once contended stays with its conflict.
        held.extend(block_on(rows(self.site.database(), "select contended from conflict")));
        held.push(self.history());
        held.concat().to_lowercase().contains(&word.to_lowercase())
    }

    #[track_caller]
    pub(crate) fn conflicts(&self) -> Vec<Value> {
        self.site.get("/v1/conflicts")["items"].as_array().expect("a list").clone()
    }

    /// Expects that the only conflict is one between sources that undo each other, and gives its number.
    #[track_caller]
    pub(crate) fn expect_stopped(&self, path: &str, contenders: Value) -> String {
        let conflicts = self.conflicts();
        assert_eq!(conflicts.len(), 1, "{conflicts:?}");
        let conflict = &conflicts[0];
        assert_eq!((&conflict["kind"], &conflict["path"]), (&"oscillation".into(), &path.into()), "{conflict}");
        assert_eq!(conflict["contenders"], contenders, "{conflict}");
        conflict["id"].to_string()
    }

    fn history(&self) -> String {
        self.site.get("/v1/records/customer/1/history?limit=1000").to_string()
    }
}
