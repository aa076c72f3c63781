use super::*;
use crate::books::{Answer, Order, PeopleLine, append};
use crate::check::Finding;
use crate::drive::test_facts;

fn fault(at: Micros, phase: FaultPhase) -> FaultLine {
    let (class, target, detail) = ("kill9-random".to_owned(), "daemon 1".to_owned(), String::new());
    FaultLine { at, class, target, phase, detail }
}

#[test]
fn a_recovery_lasts_from_the_fault_to_its_end() {
    let lines = [
        fault(1, FaultPhase::Begin),
        fault(5, FaultPhase::Fired),
        fault(9, FaultPhase::End),
        fault(20, FaultPhase::End),
    ];
    let facts = test_facts(&["kill9-random", "sigterm"]);
    let tallies = tally(&facts, &lines, &[]);
    let killed = &tallies["kill9-random"];
    assert_eq!((killed.ordered, killed.fired, killed.recoveries.as_slice()), (1, 1, [4].as_slice()));
    assert_eq!(tallies["sigterm"].fired, 0);
}

/// A run in which a daemon was killed, and programs were to refuse what they were told.
struct Told {
    dir: tempfile::TempDir,
    run: RunDir,
}

impl Told {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let run = RunDir::new(dir.path());
        run.create().expect("its books");
        run.write_facts(&test_facts(&["kill9-random", "source-reject"])).expect("its facts");
        append(&run.faults_path(), &fault(1, FaultPhase::Fired)).expect("a line");
        Self { dir, run }
    }

    /// Of the second class, too, something has happened.
    fn reject(&self) {
        let event = RunEvent::Fault { class: "source-reject".to_owned() };
        let line = RunLine { run: "customer.crm.1".to_owned(), at: 2, event };
        append(&self.run.runs_path("customer", "crm"), &line).expect("a line");
    }

    #[track_caller]
    fn expect(&self, verdict: Verdict, findings: &Findings, disorders: &[String]) -> Report {
        let report = Report::of(&self.run, findings, disorders, 0).expect("its books can be read");
        assert_eq!(report.verdict(), verdict, "{}\n{}", self.dir.path().display(), report.text());
        report
    }
}

#[test]
fn a_run_in_which_a_class_of_its_list_never_fired_shows_nothing() {
    let told = Told::new();
    let facts = told.run.facts().expect("its facts");
    assert_eq!(list_missed(&told.run, &facts).expect("its books can be read"), ["source-reject"]);
    let report = told.expect(Verdict::Void, &Findings::default(), &[]);
    assert!(report.text().contains("void: source-reject never fired"), "{}", report.text());
    told.reject();
    assert!(list_missed(&told.run, &facts).expect("its books can be read").is_empty());
    told.expect(Verdict::Valid, &Findings::default(), &[]);
}

#[test]
fn a_run_in_which_an_invariant_was_not_decided_shows_nothing() {
    let told = Told::new();
    told.reject();
    let findings = Findings { void: vec!["I4 is not decided: no removals".to_owned()], ..Findings::default() };
    told.expect(Verdict::Void, &findings, &[]);
}

#[test]
fn what_is_wrong_is_wrong_whatever_else_the_run_does_not_show() {
    let told = Told::new();
    let found = Finding { invariant: "I3", text: "twice".to_owned(), evidence: Vec::new() };
    told.expect(Verdict::Invalid, &Findings { findings: vec![found], ..Findings::default() }, &[]);
    told.expect(Verdict::Invalid, &Findings::default(), &["daemon 1 ended with None after SIGTERM".to_owned()]);
    let facts = Facts { unrest: Some("customer: 1 ready".to_owned()), ..test_facts(&["kill9-random"]) };
    told.run.write_facts(&facts).expect("its facts");
    told.expect(Verdict::Invalid, &Findings::default(), &[]);
}

#[test]
fn doubts_are_told_by_how_they_ended() {
    let told = Told::new();
    let people = told.run.people_path();
    let orders = [("key", Some(200)), ("absent", Some(200)), ("key", Some(409)), ("absent", None)];
    for (number, (asked, status)) in (1..).zip(orders) {
        let order = Order {
            number,
            at: 1,
            daemon: 1,
            kind: "settle".to_owned(),
            entity: None,
            record: None,
            subject: number.to_string(),
            seen: serde_json::Value::Null,
            asked: serde_json::json!({asked: "c1"}),
        };
        append(&people, &PeopleLine::Order(order)).expect("a line");
        if let Some(status) = status {
            let answer = Answer { status, body: serde_json::Value::Null };
            append(&people, &PeopleLine::Answer { number, at: 2, answer }).expect("a line");
        }
    }
    append(&people, &PeopleLine::FoundOut { at: 3, doubt: "9".to_owned() }).expect("a line");
    let report = told.expect(Verdict::Void, &Findings::default(), &[]);
    let wanted = "doubts: 1 ended by themselves; 2 settled by people (1 had taken effect, 1 had not)";
    assert!(report.text().contains(wanted), "{}", report.text());
    assert!(report.text().contains("of 4 orders, 1 without an answer"), "{}", report.text());
}
