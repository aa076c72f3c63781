//! A small history of a customer, played with daemons that die in the middle of it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::chaos::retcond_chaos;
use crate::support::daemon::Daemon;
use crate::support::runs::{RunEnd, Runs};
use crate::support::site::Site;
use crate::support::socket::{Answer, call, call_with};
use crate::support::system::{Language, System};
use crate::support::wait::until;

/// How the last of the daemons that were to die came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    Killed,
    /// It never came to where it was to be killed.
    Never,
}

/// What came of a play in which nothing went wrong.
pub(super) struct Outcome {
    pub(super) death: Death,
    /// Copies of which a person has to say whether they were made.
    in_doubt: u64,
    creates: usize,
    updates: usize,
    deletes: usize,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { death, in_doubt, creates, updates, deletes } = self;
        let death = match death {
            Death::Killed => "killed, and nothing lost or twice",
            Death::Never => "not reached any more",
        };
        write!(f, "{death}; {creates} creates, {updates} updates, {deletes} deletes, {in_doubt} in doubt")
    }
}

/// Plays it, with a daemon that is to be killed at each of these points, one after the other, and an ordinary one at last.
#[track_caller]
pub(super) fn play(ends: &[&str]) -> Outcome {
    // The first to ask has it built, which takes longer than anything here may be waited for.
    drop(retcond_chaos(&[]));
    let site = Site::new(&[
        Language::C.source("crm").with(&listing("crm")),
        Language::C.source("billing").with(&listing("billing")),
        // Of what it was told to make, nobody can ask it.
        Language::C.source("shop"),
    ]);
    let mut play = Play { site: &site, daemon: None, ends: ends.iter().map(|end| (*end).to_owned()).collect() };
    play.introduce();
    play.update();
    play.disagree();
    play.undo();
    play.decide_what_was_shown();
    play.reload();
    play.introduce_another();
    play.delete();
    play.notify("crm", "nobody");
    play.stop()
}

fn listing(system: &str) -> String {
    format!("list = [{:?}, \"systems/{system}\", \"list\"]", Language::C.program())
}

struct Play<'a> {
    site: &'a Site,
    daemon: Option<Daemon<'a>>,
    ends: VecDeque<String>,
}

impl<'a> Play<'a> {
    /// Asks until there is an answer; whenever the daemon has been killed, the next one is started.
    #[track_caller]
    fn insist<T>(&mut self, what: &str, mut ask: impl FnMut(&Site) -> Option<T>) -> T {
        let site = self.site;
        let asked = || {
            self.see_to_the_daemon();
            ask(site)
        };
        until(asked, || format!("{what}:\n{:#?}\n{}", site.runs(), log(site)))
    }

    #[track_caller]
    fn see_to_the_daemon(&mut self) {
        match self.daemon.as_mut().map(|daemon| daemon.ended()) {
            Some(None) => {}
            Some(Some(status)) => {
                self.expect_killed(status);
                self.daemon.take().expect("it was there").bury();
                self.ends.pop_front();
                self.daemon = Some(self.next());
            }
            None => self.daemon = Some(self.next()),
        }
    }

    #[track_caller]
    fn expect_killed(&self, status: ExitStatus) {
        let is_due = status.signal() == Some(Signal::KILL.as_raw()) && !self.ends.is_empty();
        assert!(is_due, "retcond ended, {status:?}, with {:?} to come:\n{}", self.ends, log(self.site));
    }

    fn next(&self) -> Daemon<'a> {
        let environment = self.ends.front().map(|end| ("RETCON_KILL_AT", end.as_str()));
        Daemon::spawn_by(self.site, retcond_chaos(environment.as_slice()))
    }

    /// Sends a request until one of these statuses comes.
    #[track_caller]
    fn request(&mut self, method: &str, path: &str, body: Option<&str>, statuses: &[u16]) -> Answer {
        let mut last = String::new();
        let ask = |site: &Site| {
            let answer = call(&site.socket(), method, path, body.map(str::as_bytes)).ok()?;
            last = answer.to_string();
            assert!(answer.status == 503 || statuses.contains(&answer.status), "{answer}");
            (answer.status != 503).then_some(answer)
        };
        self.insist(path, ask)
    }

    #[track_caller]
    fn notify(&mut self, source: &str, key: &str) {
        let body = format!(r#"{{"entity":"customer","source":{source:?},"key":{key:?}}}"#);
        self.request("POST", "/v1/notifications", Some(&body), &[202]);
        self.rest();
    }

    /// Waits until nothing is owed to anybody, doubts apart; gives their number.
    #[track_caller]
    fn rest(&mut self) -> u64 {
        let entity = self.insist("at rest", |site| {
            let answer = call(&site.socket(), "GET", "/v1/status", None).ok().filter(|answer| answer.status == 200)?;
            let entity = answer.json()["entities"][0].clone();
            let is_idle = ["ready", "running", "waiting"].iter().all(|state| entity["queue"][state] == 0);
            is_idle.then_some(entity)
        });
        assert_eq!(entity["queue"]["parked"], 0, "{entity}\n{}", log(self.site));
        entity["in_doubt"].as_u64().expect("a number")
    }

    /// Both systems that can be asked hold just these documents. The shop does too, but for what is in doubt.
    #[track_caller]
    fn expect(&mut self, documents: &[&str]) {
        let in_doubt = self.rest();
        for source in ["crm", "billing"] {
            assert_eq!(sorted(self.system(source)), documents, "{source}\n{:#?}\n{}", self.site.runs(), log(self.site));
        }
        if in_doubt == 0 {
            assert_eq!(sorted(self.system("shop")), documents, "{:#?}\n{}", self.site.runs(), log(self.site));
        }
        expect_nothing_twice(&self.site.runs());
    }

    fn system(&self, source: &str) -> System {
        self.site.system(source)
    }

    #[track_caller]
    fn introduce(&mut self) {
        self.system("crm").put("1", r#"{"name":"Ann","number":12345678901234567890.10}"#);
        self.notify("crm", "1");
        self.expect(&[r#"{"name":"Ann","number":12345678901234567890.10}"#]);
    }

    #[track_caller]
    fn update(&mut self) {
        let billing = self.system("billing");
        let key = billing.only_key();
        billing.put(&key, r#"{"email":"a@b","name":"Ann","number":12345678901234567890.10}"#);
        self.notify("billing", &key);
        self.expect(&[r#"{"email":"a@b","name":"Ann","number":12345678901234567890.10}"#]);
    }

    /// Two users contradict each other, and a third person decides.
    #[track_caller]
    fn disagree(&mut self) {
        let (crm, billing) = (self.system("crm"), self.system("billing"));
        crm.put("1", r#"{"email":"a@b","name":"Bob","number":12345678901234567890.10}"#);
        billing.put(&billing.only_key(), r#"{"email":"a@b","name":"Cid","number":12345678901234567890.10}"#);
        self.notify("crm", "1");
        let conflicts = self.request("GET", "/v1/conflicts", None, &[200]).json()["items"].clone();
        let [conflict] = conflicts.as_array().expect("a list").as_slice() else { panic!("{conflicts}") };
        let path = format!("/v1/conflicts/{}/resolve", conflict["id"]);
        let body = format!(r#"{{"take":"crm","revision":{}}}"#, conflict["revision"]);
        self.request("POST", &path, Some(&body), &[200, 202, 409]);
        self.expect(&[r#"{"email":"a@b","name":"Bob","number":12345678901234567890.10}"#]);
    }

    /// The e-mail address is taken back, and nothing else is.
    #[track_caller]
    fn undo(&mut self) {
        self.request("POST", "/v1/records/customer/1/undo", Some(r#"{"version":2}"#), &[200, 202, 409]);
        self.expect(&[r#"{"name":"Bob","number":12345678901234567890.10}"#]);
        let history = self.request("GET", "/v1/records/customer/1/history", None, &[200]).json();
        let causes: Vec<&Value> =
            history["items"].as_array().expect("a list").iter().map(|item| &item["cause"]["kind"]).collect();
        assert_eq!(causes, ["sync", "sync", "resolution", "undo"], "{history}");
    }

    /// Two users contradict each other at two fields, and a person decides both on a page, after having seen what that comes to.
    #[track_caller]
    fn decide_what_was_shown(&mut self) {
        let (crm, billing) = (self.system("crm"), self.system("billing"));
        crm.put("1", r#"{"city":"Bonn","name":"Eve","number":12345678901234567890.10}"#);
        billing.put(&billing.only_key(), r#"{"city":"Rom","name":"Fay","number":12345678901234567890.10}"#);
        self.notify("crm", "1");
        self.insist("decided on the page", decide_on_the_page);
        self.expect(&[r#"{"city":"Bonn","name":"Eve","number":12345678901234567890.10}"#]);
        let history = self.request("GET", "/v1/records/customer/1/history", None, &[200]).json();
        let decided = history["items"].as_array().expect("a list").iter();
        let decided = decided.filter(|item| item["cause"]["conflicts"].as_array().is_some_and(|all| all.len() == 2));
        assert_eq!(decided.count(), 1, "{history}");
    }

    #[track_caller]
    fn reload(&mut self) {
        let path = self.site.path().join("retcon.toml");
        let text = std::fs::read_to_string(path).expect("the configuration");
        self.site.write("retcon.toml", &text.replace("attempts = 3", "attempts = 4"));
        self.request("POST", "/v1/reload", None, &[200]);
    }

    #[track_caller]
    fn introduce_another(&mut self) {
        self.system("billing").put("2", r#"{"name":"Dan"}"#);
        self.notify("billing", "2");
        self.expect(&[r#"{"city":"Bonn","name":"Eve","number":12345678901234567890.10}"#, r#"{"name":"Dan"}"#]);
        assert!(!runs_of(self.site, "delete").iter().any(|_| true), "a delete: {:#?}", self.site.runs());
    }

    #[track_caller]
    fn delete(&mut self) {
        self.system("crm").remove("1");
        self.notify("crm", "1");
        self.expect(&[r#"{"name":"Dan"}"#]);
    }

    /// Stops the last daemon in order, if it is not killed at that.
    #[track_caller]
    fn stop(mut self) -> Outcome {
        let in_doubt = self.rest();
        let mut daemon = self.daemon.take().expect("it runs");
        daemon.signal(Signal::TERM);
        let status = daemon.wait();
        if status.code() != Some(0) {
            self.expect_killed(status);
            self.ends.pop_front();
            daemon.bury();
            daemon = Daemon::start(self.site);
            daemon.signal(Signal::TERM);
            assert_eq!(daemon.wait().code(), Some(0), "{}", log(self.site));
        }
        let count = |operation| runs_of(self.site, operation).len();
        Outcome {
            death: if self.ends.is_empty() { Death::Killed } else { Death::Never },
            in_doubt,
            creates: count("create"),
            updates: count("update"),
            deletes: count("delete"),
        }
    }
}

/// Has a page say what a decision comes to, and sends its form; `None` as long as a conflict is open.
fn decide_on_the_page(site: &Site) -> Option<()> {
    let socket = site.socket();
    let open = call(&socket, "GET", "/v1/conflicts", None).ok().filter(|answer| answer.status == 200)?.json();
    let open = open["items"].as_array()?.clone();
    let Some(first) = open.first() else { return Some(()) };
    let chosen = |conflict: &Value| format!("pick-{0}=take:crm&revision-{0}={1}", conflict["id"], conflict["revision"]);
    let chosen = open.iter().map(chosen).collect::<Vec<_>>().join("&");
    let send = |path: &str, form: &str| {
        let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "text/html")];
        call_with(&socket, "POST", &format!("/conflicts/{}/{path}", first["id"]), &headers, Some(form.as_bytes())).ok()
    };
    let shown = send("preview", &chosen).filter(|answer| answer.status == 200)?;
    let hidden = |name: &str| shown.body.split_once(&format!("name=\"{name}\" value=\""))?.1.split('"').next();
    let form = format!("{chosen}&shown={}&once={}", hidden("shown")?.replace(';', "%3B"), hidden("once")?);
    let answer = send("resolve", &form)?;
    assert!([303, 409, 503].contains(&answer.status), "{answer}");
    None
}

fn sorted(system: System) -> Vec<String> {
    let mut documents = system.documents();
    documents.sort_unstable();
    documents
}

fn log(site: &Site) -> String {
    std::fs::read_to_string(site.path().join("retcond.log")).unwrap_or_default()
}

/// The runs of an operation that were started, by what they were for.
fn runs_of(site: &Site, operation: &str) -> Vec<(String, String)> {
    let runs = site.runs();
    let of_kind = runs.started().filter(|run| run.operation == operation);
    of_kind.map(|run| (run.source.clone(), run.internal_key.clone())).collect()
}

/// No two runs met that must not, no copy was made twice, and nothing was deleted but the record that a user removed.
#[track_caller]
fn expect_nothing_twice(runs: &Runs) {
    runs.assert_none_meet();
    let mut made: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for run in runs.0.iter().filter(|run| run.operation == "create" && run.end == RunEnd::Ended(0)) {
        *made.entry((&run.source, &run.internal_key)).or_default() += 1;
    }
    assert!(made.values().all(|times| *times == 1), "{made:?} in {runs:#?}");
    let wrong = runs.started().find(|run| run.operation == "delete" && run.internal_key != "1");
    assert!(wrong.is_none(), "{wrong:?} in {runs:#?}");
}
