use crate::domain::json::Json;

use super::run;

/// Runs the worked cases of a file, and shows every one that does not come out as it should.
fn check(cases: &str) {
    let cases = Json::parse(cases.as_bytes()).unwrap_or_else(|error| panic!("the cases are JSON: {error}"));
    let mut failed = Vec::new();
    for case in cases.as_array().expect("the cases are a list") {
        let part = |name: &str| case.member(name).unwrap_or_else(|| panic!("each case has {name}: {case}"));
        let (name, input, expected) = (part("name"), part("input"), part("expect"));
        let found = match run(input.to_string().as_bytes()) {
            Ok(ran) => without_patch(ran.answer),
            Err(error) => Json::from(error.to_string()),
        };
        if found != *expected {
            failed.push(format!("{name}\n  input {input}{}", differences(expected, &found)));
        }
    }
    assert!(failed.is_empty(), "{} cases failed:\n\n{}", failed.len(), failed.join("\n\n"));
}

fn without_patch(mut answer: Json) -> Json {
    if let Json::Object(members) = &mut answer {
        members.put(&"patch".into(), None);
    }
    answer
}

/// Shows each member that is not as expected.
fn differences(expected: &Json, found: &Json) -> String {
    let shown = |value: Option<&Json>| value.map_or_else(|| "nothing".to_owned(), Json::to_string);
    let (Json::Object(wanted), Json::Object(given)) = (expected, found) else {
        return format!("\n  expected {expected}\n  found    {found}");
    };
    let names = wanted.keys().chain(given.keys().filter(|name| !wanted.contains_key(name)));
    let differing = names.filter(|name| wanted.get(name) != given.get(name));
    let lines = differing.map(|name| {
        format!("\n  {name} expected {}\n  {name} found    {}", shown(wanted.get(name)), shown(given.get(name)))
    });
    lines.collect()
}

#[test]
fn the_worked_cases_come_out_as_they_should() {
    check(include_str!("../../../../tests/cases/merge.json"));
}

#[test]
fn the_further_cases_come_out_as_they_should() {
    check(include_str!("../../../../tests/cases/merge-more.json"));
}

/// Runs input that cannot be used, and returns the message.
fn refused(input: &str) -> String {
    match run(input.as_bytes()) {
        Ok(ran) => panic!("{input} gave {}", ran.answer),
        Err(error) => error.to_string(),
    }
}

/// Checks that the input is refused with this said of it.
fn check_refused(input: &str, expected: &str) {
    assert_eq!(refused(input), format!("cannot use the input: at {expected}"), "of {input}");
}

#[test]
fn text_that_is_no_json_is_refused_with_its_place() {
    let error = run(b"{\"sources\":\n {,}}").expect_err("it is no JSON");
    assert_eq!(error.to_string(), "cannot read the input as JSON");
    let cause = std::error::Error::source(&error).expect("it has a cause").to_string();
    assert!(cause.contains("line 2, column 3"), "{cause}");
}

#[test]
fn what_is_misspelled_is_named_with_what_was_meant() {
    check_refused(
        r#"{"sources": {"crm": {"shadw": {}, "current": {}}}}"#,
        "\"/sources/crm\": expected \"shadow\", \"ack\", \"owed\", \"unknown\", \"fields\", \"last\", \"current\", \
         \"unreachable\", \"missing\", \"unlinked\" or \"detached\", found the member \"shadw\", \
         did you mean \"shadow\"?",
    );
    check_refused(
        r#"{"on_delete": "recrate", "sources": {}}"#,
        "\"/on_delete\": expected \"propagate\", \"recreate\", \"unlink\" or \"hold\", found \"recrate\", \
         did you mean \"recreate\"?",
    );
    check_refused(
        r#"{"fields": {"/a~1b": {"equal": ["trim", "lower"]}}, "sources": {}}"#,
        "\"/fields/~1a~01b/equal/1\": expected \"trim\", \"casefold\" or \"nfc\", found \"lower\"",
    );
}

#[test]
fn what_is_of_another_type_is_refused_with_its_place() {
    check_refused(
        "[]",
        "\"\": expected an object with \"state\", \"merge_policy\", \"on_delete\", \"fields\", \"arrays\", \"agreed\" \
         and \"sources\", found an array",
    );
    check_refused("{}", "\"\": expected the member \"sources\", found none");
    check_refused(
        r#"{"sources": {"a b": {"current": 1}}}"#,
        "\"/sources\": expected members named by sources, found the member \"a b\"",
    );
    check_refused(
        r#"{"merge_policy": "accept", "sources": {}}"#,
        "\"/merge_policy\": expected ignore-conflicts, accept-all, reject-all, trust-only:SOURCE or \
         prefer:SOURCE,SOURCE,..., found \"accept\"",
    );
    check_refused(
        r#"{"fields": {"a": "accept-all"}, "sources": {}}"#,
        "\"/fields\": expected members named by JSON pointers, found the member \"a\"",
    );
    check_refused(
        r#"{"fields": {"/a": {"atomic": 1}}, "sources": {}}"#,
        "\"/fields/~1a/atomic\": expected true or false, found 1",
    );
}

#[test]
fn arrays_and_pointers_are_refused_with_their_places() {
    check_refused(
        r#"{"arrays": {"/a": {}}, "sources": {}}"#,
        "\"/arrays/~1a\": expected \"key\" or \"set\", found neither",
    );
    check_refused(
        r#"{"arrays": {"/a": {"set": false}}, "sources": {}}"#,
        "\"/arrays/~1a/set\": expected true, found false",
    );
    check_refused(
        r#"{"arrays": {"/a": {"set": true, "key": "k"}}, "sources": {}}"#,
        "\"/arrays/~1a\": expected \"key\" or \"set\", found both",
    );
    check_refused(
        r#"{"sources": {"crm": {"current": 1, "owed": ["x"]}}}"#,
        "\"/sources/crm/owed/0\": expected a JSON pointer, found \"x\"",
    );
    check_refused(
        r#"{"sources": {"crm": {"current": 1, "fields": "/x"}}}"#,
        "\"/sources/crm/fields\": expected an array of JSON pointers, found \"/x\"",
    );
}

#[test]
fn a_source_stands_in_one_way_to_the_record() {
    let one = "expected one of \"current\", \"unreachable\", \"missing\", \"unlinked\" and \"detached\"";
    check_refused(r#"{"sources": {"crm": {}}}"#, &format!("\"/sources/crm\": {one}, found none of them"));
    check_refused(
        r#"{"sources": {"crm": {"missing": true, "current": null}}}"#,
        &format!("\"/sources/crm\": {one}, found \"current\" and \"missing\""),
    );
    check_refused(
        r#"{"sources": {"crm": {"missing": false}}}"#,
        "\"/sources/crm/missing\": expected true, found false",
    );
    let last = "\"/sources/crm\": expected \"last\" beside \"unreachable\" alone, found it beside another";
    check_refused(r#"{"sources": {"crm": {"missing": true, "last": 1}}}"#, last);
    check_refused(r#"{"sources": {"crm": {"current": 1, "last": 1}}}"#, last);
}

#[test]
fn the_answer_holds_the_patch_and_warnings_stand_beside_it() {
    let input = r#"{"arrays": {"/p": {"key": "k"}}, "agreed": {"p": []}, "sources": {
        "ad": {"shadow": {"p": []}, "current": {"p": [{"k": "1"}, {"k": "1"}]}},
        "crm": {"shadow": {"p": []}, "current": {"p": []}}}}"#;
    let ran = run(input.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let patch = r#"[{"op":"replace","path":"/p","sources":["ad"],"value":[{"k":"1"},{"k":"1"}]}]"#;
    assert_eq!(ran.answer.member("patch").map(Json::to_string).as_deref(), Some(patch));
    let names: Vec<String> = ran.answer.as_object().expect("an object").keys().map(ToString::to_string).collect();
    assert_eq!(names.join(" "), r#""agreed" "conflicts" "overruled" "patch" "sources" "state""#);
    let warning = r#"the array at "/p" counts as one value this time: elements without a key, or with one key, in ad"#;
    assert_eq!(ran.warnings, [warning]);
}

#[test]
fn the_example_for_users_gives_what_it_says() {
    let page = include_str!("../../../../docs/merging.md");
    let mut examples = page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    let (question, answer) = (examples.next().expect("a question"), examples.next().expect("an answer"));
    let ran = run(question.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ran.answer, Json::parse(answer.as_bytes()).unwrap_or_else(|error| panic!("{error}")));
}
