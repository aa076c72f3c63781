//! What a plan does on a source's word alone, and what it comes to without it.

use super::*;
use crate::domain::rules::{MergePolicy, OnDelete};

const AGREED: &str = r#"{"n":2}"#;

fn two() -> Known {
    known(AGREED, &[("ad", linked(AGREED)), ("crm", linked(AGREED))])
}

fn held(names: &[&str]) -> Held {
    names.iter().map(|name| (source(name), "over the limit".to_owned())).collect()
}

fn look_without(known: &Known, readings: &[(&str, Reading)], terms: &Terms, held: &Held) -> Plan {
    let readings = readings.iter().map(|(name, reading)| (source(name), reading.clone())).collect();
    let (will, stopped) = (&Will::Nothing, &BTreeSet::new());
    plan(&Situation { known, readings: &readings, terms, will, held, rival: false, stopped })
}

fn names(sources: &[&str]) -> Vec<SourceName> {
    sources.iter().map(|name| source(name)).collect()
}

#[test]
fn an_accepted_removal_names_those_on_whose_absence_it_rests_whatever_it_does() {
    let readings = [("ad", present(AGREED)), ("crm", Reading::Missing)];
    for (on_delete, by) in [
        (OnDelete::Propagate, &["crm"][..]),
        (OnDelete::Recreate, &["crm"]),
        (OnDelete::Unlink, &["crm"]),
        (OnDelete::Hold, &[]),
    ] {
        let mut terms = terms(&["ad", "crm"]);
        terms.rules.on_delete = on_delete;
        let plan = look(&two(), &readings, &terms, &Will::Nothing);
        assert_eq!(plan.limited.removed_by, names(by), "{on_delete:?}");
        assert!(plan.limited.changed_by.is_empty(), "{on_delete:?}");
    }
}

#[test]
fn a_removal_that_is_contradicted_overruled_or_a_persons_names_nobody() {
    let edited = [("ad", present(r#"{"n":3}"#)), ("crm", Reading::Missing)];
    let mut terms = terms(&["ad", "crm"]);
    let contradicted = look(&two(), &edited, &terms, &Will::Nothing);
    assert_eq!((contradicted.conflicts.len(), contradicted.limited), (1, Limited::default()));
    let conflict = contradicted.conflicts[0].clone();
    let will = Will::Resolve(vec![Resolution {
        conflict: 1,
        path: conflict.path,
        contenders: conflict.contenders,
        decision: Decision::Absent,
    }]);
    let decided = look(&two(), &edited, &terms, &will);
    assert_eq!((decided.record.state, decided.limited), (RecordState::Deleted, Limited::default()));
    terms.rules.merge_policy = MergePolicy::TrustOnly(source("ad"));
    let unedited = [("ad", present(AGREED)), ("crm", Reading::Missing)];
    let overruled = look(&two(), &unedited, &terms, &Will::Nothing);
    assert_eq!((overruled.overruled.len(), overruled.limited.removed_by), (1, Vec::new()));
}

#[test]
fn without_the_missing_copy_nothing_is_deleted_and_its_link_stays_as_it_was() {
    let readings = [("ad", present(r#"{"n":3}"#)), ("crm", Reading::Missing)];
    let plan = look_without(&two(), &readings, &terms(&["ad", "crm"]), &held(&["crm"]));
    assert_eq!((plan.record.state, plan.conflicts.len(), plan.writes.len()), (RecordState::Live, 0, 0));
    assert_eq!(plan.record.agreed, Some(json(r#"{"n":3}"#)), "what others changed goes on");
    assert_eq!(plan.limited.held, [(source("crm"), "k1".parse().unwrap())]);
    let link = &plan.links[&source("crm")];
    assert_eq!((link.state, &link.base, link.in_step), (LinkState::Linked, &base(AGREED), false));
    assert_eq!((link.missing_since, link.last_error.as_deref()), (Some(1_000_000), Some("over the limit")));
    assert_eq!(judged(&[("crm", plan.owed[&source("crm")].clone())], 0), Verdict::Done);
}

#[test]
fn a_copy_that_shows_again_or_is_dealt_with_is_over_and_one_that_cannot_be_asked_is_not() {
    let missing = Link { missing_since: Some(5), ..linked(AGREED) };
    let known = known(AGREED, &[("ad", linked(AGREED)), ("crm", missing)]);
    let over = |reading, held: &Held| {
        let readings = [("ad", present(AGREED)), ("crm", reading)];
        look_without(&known, &readings, &terms(&["ad", "crm"]), held).limited.over
    };
    assert_eq!(over(present(AGREED), &Held::new()), names(&["crm"]));
    assert_eq!(over(Reading::Missing, &Held::new()), names(&["crm"]));
    assert_eq!(over(Reading::Missing, &held(&["crm"])), []);
    assert_eq!(over(Reading::Unreachable("no route".to_owned()), &Held::new()), []);
}

#[test]
fn those_count_whose_readings_change_the_agreed_document_and_each_once() {
    let agreed = r#"{"a":1,"b":1,"c":1}"#;
    let known = known(agreed, &[("ad", linked(agreed)), ("crm", linked(agreed)), ("erp", linked(agreed))]);
    let mut terms = terms(&["ad", "crm", "erp"]);
    let changed = |ad: &str, crm: &str, terms: &Terms| {
        let readings = [("ad", present(ad)), ("crm", present(crm)), ("erp", present(agreed))];
        look(&known, &readings, terms, &Will::Nothing).limited.changed_by.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(changed(agreed, agreed, &terms), []);
    assert_eq!(changed(agreed, r#"{"a":2,"b":2}"#, &terms), names(&["crm"]));
    assert_eq!(changed(r#"{"a":1,"b":1,"c":3}"#, r#"{"a":2,"b":2,"c":1}"#, &terms), names(&["ad", "crm"]));
    assert_eq!(changed(r#"{"a":3,"b":1,"c":1}"#, r#"{"a":2,"b":1,"c":1}"#, &terms), [], "a conflict accepts nothing");
    terms.rules.merge_policy = MergePolicy::TrustOnly(source("ad"));
    assert_eq!(changed(agreed, r#"{"a":2}"#, &terms), [], "what is overruled is not accepted");
}

#[test]
fn our_own_write_counts_for_nobody_and_a_new_item_for_its_source() {
    let open = operation(OperationKind::Update, OperationState::Open, AGREED, true);
    let behind = Link { open: Some(open), ..linked(r#"{"n":1}"#) };
    let known = known(AGREED, &[("ad", linked(AGREED)), ("crm", behind)]);
    let terms = terms(&["ad", "crm"]);
    let settled = look(&known, &[("ad", present(AGREED)), ("crm", present(AGREED))], &terms, &Will::Nothing);
    assert_eq!(settled.limited, Limited::default());
    let mut new = known.clone();
    new.record = Record { version: 0, agreed: None, ..new.record };
    new.links = BTreeMap::from([(source("crm"), Link { base: Base::default(), ..linked(AGREED) })]);
    let born = look(&new, &[("crm", present(AGREED))], &terms, &Will::Nothing);
    assert_eq!(born.limited.changed_by.into_iter().collect::<Vec<_>>(), names(&["crm"]));
    let unborn = look_without(&new, &[("crm", present(AGREED))], &terms, &held(&["crm"]));
    assert_eq!((unborn.record.version, unborn.writes.len(), unborn.changes.len()), (0, 0, 0));
}

#[test]
fn without_the_edit_nothing_is_written_over_it_and_the_work_waits_for_consent() {
    let readings = [("ad", present(AGREED)), ("crm", present(r#"{"n":1}"#))];
    let plan = look_without(&two(), &readings, &terms(&["ad", "crm"]), &held(&["crm"]));
    assert_eq!((plan.record.version, plan.writes.len()), (2, 0));
    assert_eq!(plan.links[&source("crm")].base, base(AGREED));
    let owed = plan.owed[&source("crm")].clone();
    assert_eq!(owed, Owed::ChangeHeld("over the limit".to_owned()));
    assert_eq!(judged(&[("crm", owed)], 0), Verdict::Held { error: "crm: over the limit".to_owned() });
}

#[test]
fn what_a_limit_holds_waits_for_a_person_only_once_nothing_else_is_waited_for() {
    let change = || ("crm", Owed::ChangeHeld("over".to_owned()));
    let away = || Owed::Unreachable("no route".to_owned());
    let Verdict::Later { blocked_by, .. } = judged(&[("ad", away()), change()], 9) else { panic!("it must wait") };
    assert_eq!(blocked_by, names(&["ad"]));
    let failed = || Owed::Failed("exit status 3".to_owned());
    assert!(matches!(judged(&[("ad", failed()), change()], 0), Verdict::Later { spent: true, .. }));
    assert!(matches!(judged(&[("ad", failed()), change()], 2), Verdict::Held { .. }));
    assert_eq!(judged(&[("ad", Owed::Moved), change()], 0), Verdict::AtOnce);
    let deletion = || ("crm", Owed::DeletionHeld("over".to_owned()));
    assert!(matches!(judged(&[("ad", failed()), deletion()], 2), Verdict::Parked { .. }));
    let Verdict::Later { blocked_by, .. } = judged(&[("ad", away()), deletion()], 0) else { panic!("it must wait") };
    assert_eq!(blocked_by, names(&["ad"]));
}
