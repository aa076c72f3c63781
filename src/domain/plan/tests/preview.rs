//! What a person is shown of a plan, and whether another comes to the same.

use super::*;

const AGREED: &str = r#"{"mail":"a","name":"Ann"}"#;

fn two() -> Known {
    let mut known = known(AGREED, &[("crm", linked(AGREED)), ("billing", linked(AGREED))]);
    known.record.version = 4;
    known
}

/// Looks at `known`, and says what the plan for the will comes to.
fn preview(known: &Known, read: &[(&str, Reading)], terms: &Terms, will: &Will) -> Preview {
    let plan = look(known, read, terms, will);
    let readings = read.iter().map(|(name, reading)| (source(name), reading.clone())).collect();
    Preview::of(known, &readings, terms, &BTreeSet::new(), &plan)
}

fn edited() -> Vec<(&'static str, Reading)> {
    vec![("crm", present(r#"{"mail":"b","name":"Anne"}"#)), ("billing", present(r#"{"mail":"c","name":"Anna"}"#))]
}

/// A person's word on every conflict that these readings leave.
fn all(known: &Known, read: &[(&str, Reading)], terms: &Terms, decision: &Decision) -> Will {
    let conflicts = look(known, read, terms, &Will::Nothing).conflicts;
    let resolution = |(n, conflict): (usize, Conflict)| Resolution {
        conflict: n as i64 + 7,
        path: conflict.path,
        contenders: conflict.contenders,
        decision: decision.clone(),
    };
    Will::Resolve(conflicts.into_iter().enumerate().map(resolution).collect())
}

#[test]
fn several_conflicts_are_decided_in_one_version() {
    let (known, terms) = (two(), terms(&["billing", "crm"]));
    let will = all(&known, &edited(), &terms, &Decision::Take(source("crm")));
    let plan = look(&known, &edited(), &terms, &will);
    assert_eq!((plan.record.version, plan.conflicts.len(), &plan.fate), (5, 0, &Fate::Done));
    assert_eq!(plan.record.agreed, Some(json(r#"{"mail":"b","name":"Anne"}"#)));
    assert_eq!(plan.cause, json(r#"{"kind":"resolution","conflict":7,"conflicts":[7,8]}"#));
}

#[test]
fn of_several_decisions_none_is_carried_out_if_one_is_stale() {
    let (known, terms) = (two(), terms(&["billing", "crm"]));
    let will = all(&known, &edited(), &terms, &Decision::Take(source("crm")));
    let moved =
        [("crm", present(r#"{"mail":"b","name":"Anne"}"#)), ("billing", present(r#"{"mail":"c","name":"Ani"}"#))];
    let plan = look(&known, &moved, &terms, &will);
    assert_eq!((plan.fate, plan.conflicts.len(), plan.writes.len()), (Fate::Stale, 2, 0));
}

#[test]
fn a_preview_says_of_each_source_what_would_be_written_place_by_place() {
    let (known, terms) = (two(), terms(&["billing", "crm", "shop"]));
    let will = all(&known, &edited(), &terms, &Decision::Take(source("crm")));
    let preview = preview(&known, &edited(), &terms, &will);
    assert_eq!(preview.copies[&source("crm")].prospect, Prospect::InStep);
    let Prospect::Update { document, changes } = &preview.copies[&source("billing")].prospect else {
        panic!("{:?}", preview.copies)
    };
    assert_eq!(document, &json(r#"{"mail":"b","name":"Anne"}"#));
    let told: Vec<_> = changes.iter().map(|change| (change.path.to_string(), change.before.clone())).collect();
    assert_eq!(told, [("/mail".to_owned(), Some(json(r#""c""#))), ("/name".to_owned(), Some(json(r#""Anna""#)))]);
    assert_eq!(preview.copies[&source("shop")].prospect, Prospect::Create(json(r#"{"mail":"b","name":"Anne"}"#)));
    assert_eq!((preview.record.version, preview.next.version), (4, 5));
}

#[test]
fn who_is_away_is_shown_as_such_and_who_contends_on_is_left_alone() {
    let (known, terms) = (two(), terms(&["billing", "crm"]));
    let read = [edited().remove(0), ("billing", Reading::Unreachable("no route".to_owned()))];
    let away = preview(&known, &read, &terms, &Will::Nothing);
    assert_eq!(away.copies[&source("billing")].prospect, Prospect::Later("no route".to_owned()));
    let open = preview(&known, &edited(), &terms, &Will::Nothing);
    assert!(open.copies.values().all(|copy| copy.prospect == Prospect::Contends), "{:?}", open.copies);
}

#[track_caller]
fn check(now: &[(&str, Reading)], version: i64, expected: Option<Moved>) {
    let (mut known, terms) = (two(), terms(&["billing", "crm"]));
    let will = all(&known, &edited(), &terms, &Decision::Keep);
    let shown: Shown =
        preview(&known, &edited(), &terms, &will).shown.to_string().parse().expect("it was just written");
    known.record.version = version;
    let will = all(&known, now, &terms, &Decision::Keep);
    assert_eq!(shown.moved(&preview(&known, now, &terms, &will).shown), expected, "{now:?}");
}

#[test]
fn what_comes_to_the_same_has_not_moved_however_it_is_spelled() {
    check(&edited(), 4, None);
    check(&[edited().remove(1), ("crm", present(r#"{"name":"Anne" , "mail":"b"}"#))], 4, None);
}

#[test]
fn what_has_moved_is_told() {
    let moved = [edited().remove(0), ("billing", present(r#"{"mail":"c","name":"Ani"}"#))];
    // What billing is sent is the same, and another value is overruled.
    check(&moved, 4, Some(Moved { version: None, copies: vec![source("billing")] }));
    let more = [edited().remove(0), ("billing", present(r#"{"mail":"c","name":"Anna","phone":1}"#))];
    check(&more, 4, Some(Moved { version: None, copies: vec![source("billing")] }));
    check(&edited(), 5, Some(Moved { version: Some(5), copies: Vec::new() }));
    let away = [edited().remove(0), ("billing", Reading::Unreachable("no route".to_owned()))];
    check(&away, 4, Some(Moved { version: None, copies: vec![source("billing")] }));
}

#[test]
fn what_is_no_print_of_a_preview_is_refused() {
    for bad in [
        "",
        "4",
        "4;",
        "x;0123456789abcdef0123456789abcdef",
        "4;0123456789abcdef0123456789abcdeg",
        "4;+123456789abcdef0123456789abcdef",
        "4;0123456789abcdef0123456789abcdef;crm",
        "4;0123456789abcdef0123456789abcdef;=1",
    ] {
        assert!(bad.parse::<Shown>().is_err(), "{bad:?}");
    }
}

#[test]
fn what_a_choice_would_break_of_the_schema_is_told_with_its_place() {
    let schema = serde_json::json!({"properties": {"name": {"maxLength": 3}, "mail": {"type": "string"}}});
    let terms = Terms { schema: Some(Schema::compile(&schema).unwrap()), ..terms(&["billing", "crm"]) };
    let known = two();
    let will = all(&known, &edited(), &terms, &Decision::Value(json("1")));
    let breaches = preview(&known, &edited(), &terms, &will).breaches;
    let at = |place: &str| breaches_at(&breaches, &place.parse().unwrap()).count();
    assert_eq!((at("/mail"), at("/name"), at("/phone")), (1, 0, 0), "{breaches:?}");
}
