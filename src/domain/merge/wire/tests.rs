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
        members.retain(|name, _| name.as_str() != Some("patch"));
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
