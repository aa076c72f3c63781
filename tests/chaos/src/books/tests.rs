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
