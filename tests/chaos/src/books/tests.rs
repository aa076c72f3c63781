use super::*;

#[test]
fn a_line_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("runs.jsonl");
    let start = RunEvent::Start {
        pid: 7,
        parent: 1,
        operation: "read".into(),
        entity: "customer".into(),
        source: "crm".into(),
        key: Some("a-1".into()),
        record: None,
        operation_id: None,
        expected: None,
        config: ["1".into(), "1".into()],
    };
    let lines = [
        RunLine { run: "7.1".into(), at: 10, event: start },
        RunLine { run: "7.1".into(), at: 12, event: RunEvent::End { exit: 0, printed: Some("{}".into()) } },
    ];
    lines.iter().for_each(|line| append(&path, line).expect("it can be written"));
    assert_eq!(read_lines::<RunLine>(&path).expect("it can be read"), lines);
}

#[test]
fn a_book_that_nobody_began_is_empty() {
    let dir = tempfile::tempdir().expect("a directory");
    assert_eq!(RunDir::new(dir.path()).clients().expect("it is no error"), []);
}

#[test]
fn half_a_line_is_an_error_that_names_its_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = RunDir::new(dir.path());
    fs::write(run.faults_path(), "{\"at\":1").expect("it can be written");
    let error = run.faults().expect_err("that is half a line");
    assert!(error.to_string().starts_with("cannot read line 1 of "), "{error}");
}

#[test]
fn an_order_is_in_the_book_before_its_answer_and_goes_when_nobody_heard_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = RunDir::new(dir.path());
    let order = |number| {
        let (kind, subject) = ("resolve".to_owned(), "7".to_owned());
        let (seen, asked) = (serde_json::Value::Null, serde_json::Value::Null);
        PeopleLine::Order(Order { number, at: 1, daemon: 1, kind, entity: None, record: None, subject, seen, asked })
    };
    let answer = |status| Answer { status, body: serde_json::Value::Null };
    let mut lines: Vec<PeopleLine> = (1..=5).map(order).collect();
    for (number, status) in [(2, 200), (3, 409), (4, 503)] {
        lines.push(PeopleLine::Answer { number, at: 2, answer: answer(status) });
    }
    lines.push(PeopleLine::Unheard { number: 5 });
    lines.iter().for_each(|line| append(&run.people_path(), line).expect("it can be written"));
    let decisions = run.decisions().expect("it can be read");
    let told: Vec<_> = decisions
        .iter()
        .map(|decision| (decision.order.number, decision.is_accepted(), decision.may_apply()))
        .collect();
    assert_eq!(told, [(1, false, true), (2, true, true), (3, false, false), (4, false, true)]);
}

#[test]
fn runs_are_read_from_a_place_in_their_book() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = RunDir::new(dir.path());
    run.create().expect("its books");
    assert_eq!(run.runs_length("customer", "crm"), 0);
    let path = run.runs_path("customer", "crm");
    let line = |name: &str| RunLine { run: name.into(), at: 1, event: RunEvent::End { exit: 0, printed: None } };
    append(&path, &line("1")).expect("it can be written");
    let place = run.runs_length("customer", "crm");
    append(&path, &line("2")).expect("it can be written");
    assert_eq!(run.runs_from("customer", "crm", place).expect("it can be read"), [line("2")]);
}
