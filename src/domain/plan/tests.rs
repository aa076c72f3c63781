//! What a look comes to, step by step.

mod limits;
mod preview;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::settle::{Standing, settle};
use super::*;
use crate::domain::key::InternalKey;
use crate::domain::record::{LinkState, OperationState};
use crate::domain::rules::ArrayRule;

fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).unwrap()
}

fn source(name: &str) -> SourceName {
    name.parse().unwrap()
}

fn base(text: &str) -> Base {
    Base { shadow: Some(json(text)), ack: Some(json(text)), ..Base::default() }
}

fn linked(text: &str) -> Link {
    Link {
        state: LinkState::Linked,
        key: Some("k1".parse().unwrap()),
        base: base(text),
        in_step: true,
        ..Link::unlinked()
    }
}

fn operation(kind: OperationKind, state: OperationState, document: &str, may_have_taken_effect: bool) -> OpenOperation {
    OpenOperation {
        id: OperationId(uuid::Uuid::from_u128(7)),
        kind,
        state,
        key: (kind != OperationKind::Create).then(|| "k1".parse().unwrap()),
        document: (kind != OperationKind::Delete).then(|| json(document)),
        carries: base(document),
        version: 2,
        attempts: 1,
        may_have_taken_effect,
    }
}

fn known(agreed: &str, links: &[(&str, Link)]) -> Known {
    Known {
        record: Record { id: InternalKey(1), state: RecordState::Live, version: 2, agreed: Some(json(agreed)) },
        links: links.iter().map(|(name, link)| (source(name), link.clone())).collect(),
        conflicts: Vec::new(),
        tidies: BTreeMap::new(),
        now: 1_000_000,
    }
}

fn terms(names: &[&str]) -> Terms {
    Terms {
        rules: Rules::default(),
        schema: None,
        sources: names.iter().map(|name| (source(name), Traits::default())).collect(),
        observe: false,
        delete_after: 0,
    }
}

/// Plans a look at `known` with these readings.
fn look(known: &Known, readings: &[(&str, Reading)], terms: &Terms, will: &Will) -> Plan {
    let readings = readings.iter().map(|(name, reading)| (source(name), reading.clone())).collect();
    let (held, stopped) = (&Held::new(), &BTreeSet::new());
    plan(&Situation { known, readings: &readings, terms, will, held, rival: false, stopped })
}

fn settled(link: Link, reading: Reading, tidies: bool) -> settle::Settled {
    let mut known = known(r#"{"n":2}"#, &[("crm", link)]);
    known.tidies.insert(source("crm"), tidies);
    let readings = BTreeMap::from([(source("crm"), reading)]);
    let terms = terms(&["crm"]);
    let (will, held, stopped) = (&Will::Nothing, &Held::new(), &BTreeSet::new());
    let situation = Situation { known: &known, readings: &readings, terms: &terms, will, held, rival: false, stopped };
    settle(&situation, &source("crm"), &Traits::default())
}

fn present(text: &str) -> Reading {
    Reading::Present(json(text))
}

#[test]
fn a_reading_equal_to_an_open_intent_is_our_own_write() {
    let open = operation(OperationKind::Update, OperationState::Open, r#"{"n":2}"#, true);
    let link = Link { open: Some(open.clone()), ..linked(r#"{"n":1}"#) };
    let settled = settled(link, present(r#"{"n":2.0}"#), false);
    assert!(matches!(settled.standing, Standing::Present(_)));
    assert_eq!(settled.link.base, open.carries);
    assert_eq!(settled.ended, Some((open.id, OperationEnd::Done { key: Some("k1".parse().unwrap()) })));
}

#[test]
fn what_a_write_has_sent_is_no_edit_where_the_copy_was_edited_elsewhere_since() {
    let found = r#"{"a":2,"c":9,"o":{"x":2,"y":1},"own":1}"#;
    let shadow_after = |may_have_taken_effect| {
        let mut link = linked(r#"{"a":1,"b":1,"c":1,"o":{"x":1,"y":1}}"#);
        let sent = r#"{"a":2,"c":2,"o":{"x":2,"y":1}}"#;
        link.open = Some(operation(OperationKind::Update, OperationState::Open, sent, may_have_taken_effect));
        settled(link, present(found), false).link.base
    };
    let expected = base(r#"{"a":2,"c":1,"o":{"x":2,"y":1}}"#);
    let before = base(r#"{"a":1,"b":1,"c":1,"o":{"x":1,"y":1}}"#);
    assert_eq!(shadow_after(true), Base { ack: before.ack.clone(), ..expected });
    assert_eq!(shadow_after(false), before, "it was never made, so it is an edit");
}

#[test]
fn a_copy_missing_after_a_write_that_may_have_taken_effect_is_in_doubt() {
    let open = operation(OperationKind::Update, OperationState::Open, r#"{"n":2}"#, true);
    let settled = settled(Link { open: Some(open), ..linked(r#"{"n":1}"#) }, Reading::Missing, false);
    assert!(matches!(settled.standing, Standing::InDoubt));
    assert_eq!(settled.link.open.map(|open| open.state), Some(OperationState::InDoubt));
}

#[test]
fn a_copy_missing_after_a_write_that_was_refused_is_missing() {
    let open = operation(OperationKind::Update, OperationState::Open, r#"{"n":2}"#, false);
    let settled = settled(Link { open: Some(open), ..linked(r#"{"n":1}"#) }, Reading::Missing, false);
    assert!(matches!(settled.standing, Standing::Missing));
}

#[test]
fn a_copy_missing_after_our_own_delete_is_retired() {
    let open = operation(OperationKind::Delete, OperationState::Open, "null", true);
    let settled = settled(Link { open: Some(open.clone()), ..linked(r#"{"n":1}"#) }, Reading::Missing, false);
    assert!(matches!(settled.standing, Standing::Unlinked));
    assert_eq!(settled.ended, Some((open.id, OperationEnd::Done { key: None })));
    assert_eq!(settled.retired, Some(("k1".parse().unwrap(), Some(json(r#"{"n":1}"#)))));
}

#[test]
fn what_a_tidying_source_made_of_an_unconfirmed_write_is_no_edit() {
    let open = operation(OperationKind::Update, OperationState::Open, r#"{"m":1,"n":"Bob"}"#, true);
    let link = Link { open: Some(open), ..linked(r#"{"m":1,"n":"Ann"}"#) };
    let found = |text: &str, tidies| settled(link.clone(), present(text), tidies).standing;
    assert!(matches!(found(r#"{"m":1,"n":"bob"}"#, true), Standing::Tidied { .. }));
    assert!(matches!(found(r#"{"m":1,"n":"bob"}"#, false), Standing::Present(_)), "it was never seen to tidy");
    assert!(matches!(found(r#"{"m":2,"n":"bob"}"#, true), Standing::Present(_)), "we did not write m");
    assert!(matches!(found(r#"{"m":1,"n":"Ann"}"#, true), Standing::Present(_)), "the write did not take effect");
}

#[test]
fn what_a_repeated_write_goes_over_is_named_unless_it_is_only_spelled_otherwise() {
    let open = operation(OperationKind::Update, OperationState::Open, r#"{"m":1,"n":"Bob"}"#, true);
    let lost = |found: &str| {
        let link = Link { open: Some(open.clone()), ..linked(r#"{"m":1,"n":"Ann"}"#) };
        let mut known = known(r#"{"m":1,"n":"Bob"}"#, &[("crm", link)]);
        known.tidies.insert(source("crm"), true);
        let plan = look(&known, &[("crm", present(found))], &terms(&["crm"]), &Will::Nothing);
        assert!(plan.writes[&source("crm")].must_read_back);
        let shown =
            plan.overruled.iter().map(|lost| format!("{} {:?}", lost.path, lost.value.as_ref().map(Json::to_string)));
        (plan.record.version - known.record.version, shown.collect::<Vec<_>>())
    };
    assert_eq!(lost(r#"{"m":1,"n":" BOB"}"#), (0, vec![]));
    assert_eq!(lost(r#"{"m":1,"n":"Bobby"}"#), (1, vec![r#"/n Some("\"Bobby\"")"#.to_owned()]));
}

#[test]
fn a_copy_that_may_have_been_tidied_keeps_its_base_until_the_repeated_write_is_through() {
    let open = operation(OperationKind::Update, OperationState::Open, r#"{"n":"Bob"}"#, true);
    let link = Link { open: Some(open), ..linked(r#"{"n":"Ann"}"#) };
    let mut known = known(r#"{"n":"Bob"}"#, &[("crm", link)]);
    known.tidies.insert(source("crm"), true);
    let plan = look(&known, &[("crm", present(r#"{"n":"Bobby"}"#))], &terms(&["crm"]), &Will::Nothing);
    assert_eq!(plan.links[&source("crm")].base, base(r#"{"n":"Ann"}"#), "it may be somebody's edit");
    assert_eq!(plan.writes[&source("crm")].carries, base(r#"{"n":"Bob"}"#));
}

#[test]
fn a_create_in_doubt_takes_no_part_and_is_not_repeated() {
    let open = operation(OperationKind::Create, OperationState::InDoubt, r#"{"n":2}"#, true);
    let known = known(
        r#"{"n":2}"#,
        &[("ad", Link { open: Some(open.clone()), ..Link::unlinked() }), ("crm", linked(r#"{"n":2}"#))],
    );
    let mut terms = terms(&["ad", "crm"]);
    let readings = [("crm", present(r#"{"n":3}"#))];
    let plan = look(&known, &readings, &terms, &Will::Nothing);
    assert_eq!(plan.in_doubt.keys().collect::<Vec<_>>(), [&source("ad")]);
    assert_eq!(plan.writes, BTreeMap::new());
    terms.sources.insert(source("ad"), Traits { create_is_idempotent: true, ..Traits::default() });
    let plan = look(&known, &readings, &terms, &Will::Nothing);
    let write = plan.writes.get(&source("ad")).expect("it is repeated where the source lets it");
    assert_eq!(
        (&write.document, write.again.as_ref()),
        (&open.document, Some(&open)),
        "with the very same document and id"
    );
}

#[test]
fn an_observer_writes_nothing_and_forgets_nothing_that_may_have_taken_effect() {
    for state in [OperationState::Open, OperationState::InDoubt] {
        let create = operation(OperationKind::Create, state, r#"{"n":2}"#, true);
        let update = operation(OperationKind::Update, OperationState::Open, r#"{"n":2}"#, true);
        let behind = Link { open: Some(update.clone()), ..linked(r#"{"n":1}"#) };
        let known = known(
            r#"{"n":2}"#,
            &[("ad", Link { open: Some(create), ..Link::unlinked() }), ("crm", linked(r#"{"n":2}"#)), ("erp", behind)],
        );
        let mut terms = Terms { observe: true, ..terms(&["ad", "crm", "erp"]) };
        terms.sources.insert(source("ad"), Traits { create_is_idempotent: true, ..Traits::default() });
        let readings = [("crm", present(r#"{"n":2}"#)), ("erp", present(r#"{"n":1}"#))];
        let plan = look(&known, &readings, &terms, &Will::Nothing);
        assert_eq!((plan.writes.len(), plan.ended.len()), (0, 0));
        assert_eq!(plan.in_doubt.get(&source("ad")).map(|open| open.state), Some(OperationState::InDoubt));
        let erp = plan.links.get(&source("erp")).expect("it is out of step");
        assert_eq!((erp.in_step, &erp.open), (false, &Some(update)));
    }
}

#[test]
fn another_attempt_bears_the_same_operation_and_another_document_another() {
    let open = operation(OperationKind::Update, OperationState::Open, r#"{"n":2}"#, false);
    let behind = Link { open: Some(open.clone()), ..linked(r#"{"n":1}"#) };
    let known = known(r#"{"n":2}"#, &[("ad", behind), ("crm", linked(r#"{"n":2}"#))]);
    let ad = ("ad", present(r#"{"n":1}"#));
    let same = look(&known, &[ad.clone(), ("crm", present(r#"{"n":2}"#))], &terms(&["ad", "crm"]), &Will::Nothing);
    assert_eq!(same.writes[&source("ad")].again, Some(open.clone()));
    assert_eq!(same.ended, []);
    let other = look(&known, &[ad, ("crm", present(r#"{"n":3}"#))], &terms(&["ad", "crm"]), &Will::Nothing);
    assert_eq!(other.writes[&source("ad")].again, None);
    assert_eq!(other.ended, [(open.id, OperationEnd::Superseded)]);
}

#[test]
fn every_write_comes_with_its_link_even_if_nothing_else_of_it_changed() {
    let behind = Link { in_step: false, ..linked(r#"{"n":1}"#) };
    let known = known(r#"{"n":2}"#, &[("ad", behind), ("crm", linked(r#"{"n":2}"#))]);
    let readings = [("ad", present(r#"{"n":1}"#)), ("crm", present(r#"{"n":2}"#))];
    let plan = look(&known, &readings, &terms(&["ad", "crm"]), &Will::Nothing);
    assert!(plan.writes.contains_key(&source("ad")) && plan.links.contains_key(&source("ad")));
}

#[test]
fn an_unreachable_source_is_owed_and_nothing_is_deleted() {
    let known = known(r#"{"n":2}"#, &[("ad", linked(r#"{"n":2}"#)), ("crm", linked(r#"{"n":2}"#))]);
    let away = ("ad", Reading::Unreachable("no route".to_owned()));
    let plan = look(&known, &[away, ("crm", present(r#"{"n":2}"#))], &terms(&["ad", "crm"]), &Will::Nothing);
    assert_eq!(plan.writes, BTreeMap::new());
    assert_eq!(plan.owed.get(&source("ad")), Some(&Owed::Unreachable("no route".to_owned())));
    assert_eq!(plan.record, known.record);
}

#[test]
fn a_missing_copy_is_no_deletion_before_delete_after_has_passed() {
    let mut known = known(r#"{"n":2}"#, &[("ad", linked(r#"{"n":2}"#)), ("crm", linked(r#"{"n":2}"#))]);
    let terms = Terms { delete_after: 500, ..terms(&["ad", "crm"]) };
    let readings = [("ad", Reading::Missing), ("crm", present(r#"{"n":2}"#))];
    let first = look(&known, &readings, &terms, &Will::Nothing);
    assert_eq!(first.owed.get(&source("ad")), Some(&Owed::NotBefore(500)));
    assert_eq!(first.writes, BTreeMap::new());
    known.links.insert(source("ad"), first.links[&source("ad")].clone());
    known.now += 500;
    let second = look(&known, &readings, &terms, &Will::Nothing);
    assert_eq!(second.writes.get(&source("crm")).map(|write| write.kind), Some(OperationKind::Delete));
    assert_eq!(second.record.state, RecordState::Deleted);
}

#[test]
fn a_write_that_fails_moves_no_base_but_its_own() {
    let known = known(r#"{"n":1}"#, &[("ad", linked(r#"{"n":1}"#)), ("crm", linked(r#"{"n":1}"#))]);
    let plan = look(
        &known,
        &[("ad", present(r#"{"n":1}"#)), ("crm", present(r#"{"n":2}"#))],
        &terms(&["ad", "crm"]),
        &Will::Nothing,
    );
    let write = &plan.writes[&source("ad")];
    let link = &plan.links[&source("ad")];
    let open = operation(OperationKind::Update, OperationState::InFlight, r#"{"n":2}"#, true);
    let failed =
        conclude(link, write, &open, &WriteResult::Rejected("no".into()), &Traits::default(), &Rules::default());
    assert_eq!(failed.link.base, base(r#"{"n":1}"#));
    assert_eq!(failed.owed, Some(Owed::Failed("no".to_owned())));
    let done = WriteResult::Done { key: None, stored: None };
    let made = conclude(link, write, &open, &done, &Traits::default(), &Rules::default());
    assert_eq!(made.link.base, base(r#"{"n":2}"#));
    assert_eq!(plan.links[&source("crm")].base, base(r#"{"n":2}"#));
}

#[test]
fn a_resolution_applies_only_to_what_the_person_saw() {
    let known = known(r#"{"n":1}"#, &[("ad", linked(r#"{"n":1}"#)), ("crm", linked(r#"{"n":1}"#))]);
    let readings = [("ad", present(r#"{"n":3}"#)), ("crm", present(r#"{"n":2}"#))];
    let terms = terms(&["ad", "crm"]);
    let seen = look(&known, &readings, &terms, &Will::Nothing).conflicts.remove(0);
    let will = |contenders| {
        Will::Resolve(vec![Resolution {
            conflict: 5,
            path: seen.path.clone(),
            contenders,
            decision: Decision::Take(source("crm")),
        }])
    };
    let applied = look(&known, &readings, &terms, &will(seen.contenders.clone()));
    assert_eq!((applied.fate, applied.record.version), (Fate::Done, 3));
    assert_eq!(applied.record.agreed, Some(json(r#"{"n":2}"#)));
    assert_eq!(applied.writes.keys().collect::<Vec<_>>(), [&source("ad")]);
    let stale = look(&known, &readings, &terms, &will(seen.contenders[..1].to_vec()));
    assert_eq!((stale.fate, stale.record.version), (Fate::Stale, 2));
    assert_eq!(stale.conflicts.len(), 1);
}

#[test]
fn a_value_that_cannot_stand_at_its_place_decides_nothing() {
    let agreed = r#"{"p":[{"k":"a","n":1}]}"#;
    let known = known(agreed, &[("ad", linked(agreed)), ("crm", linked(agreed))]);
    let mut terms = terms(&["ad", "crm"]);
    terms.rules.arrays.insert("/p".parse().unwrap(), ArrayRule::Key("k".into()));
    let readings = [("ad", present(r#"{"p":[]}"#)), ("crm", present(r#"{"p":[{"k":"a","n":2}]}"#))];
    let seen = look(&known, &readings, &terms, &Will::Nothing).conflicts.remove(0);
    let decided = |value: &str| {
        let (path, contenders) = (seen.path.clone(), seen.contenders.clone());
        let decision = Decision::Value(json(value));
        let plan = look(
            &known,
            &readings,
            &terms,
            &Will::Resolve(vec![Resolution { conflict: 5, path, contenders, decision }]),
        );
        (plan.fate, plan.record.version, plan.conflicts.len())
    };
    assert_eq!(decided(r#"{"k":"a","n":3}"#), (Fate::Done, 3, 0));
    for value in [r#"{"n":3}"#, r#"{"k":"b","n":3}"#, "3"] {
        assert_eq!(decided(value), (Fate::Vain(seen.path.clone()), 2, 1));
    }
}

#[test]
fn a_resolution_against_a_source_that_is_away_holds_when_it_comes_back() {
    let mut known = known(r#"{"n":1}"#, &[("ad", linked(r#"{"n":1}"#)), ("crm", linked(r#"{"n":1}"#))]);
    let terms = terms(&["ad", "crm"]);
    let both = [("ad", present(r#"{"n":3}"#)), ("crm", present(r#"{"n":2}"#))];
    let seen = look(&known, &both, &terms, &Will::Nothing);
    known.links.extend(seen.links);
    let conflict = &seen.conflicts[0];
    let will = Will::Resolve(vec![Resolution {
        conflict: 5,
        path: conflict.path.clone(),
        contenders: conflict.contenders.clone(),
        decision: Decision::Take(source("crm")),
    }]);
    let away = [("ad", Reading::Unreachable("no route".to_owned())), ("crm", present(r#"{"n":2}"#))];
    let resolved = look(&known, &away, &terms, &will);
    assert_eq!((resolved.fate, resolved.conflicts.len()), (Fate::Done, 0));
    known.record = resolved.record;
    known.links.extend(resolved.links);
    let back = look(&known, &both, &terms, &Will::Nothing);
    assert_eq!(back.conflicts, []);
    assert_eq!(back.writes[&source("ad")].document, Some(json(r#"{"n":2}"#)));
}

#[test]
fn a_contender_that_goes_away_after_our_write_does_not_take_that_write_back() {
    let agreed = r#"{"m":1,"n":1}"#;
    let mut known = known(agreed, &[("ad", linked(agreed)), ("crm", linked(agreed))]);
    let terms = terms(&["ad", "crm"]);
    let crm = present(r#"{"m":2,"n":2}"#);
    let first = look(&known, &[("ad", present(r#"{"m":1,"n":3}"#)), ("crm", crm.clone())], &terms, &Will::Nothing);
    let (name, write) = first.writes.first_key_value().unwrap();
    assert_eq!((name, &write.document), (&source("ad"), &Some(json(r#"{"m":2,"n":3}"#))));
    let operation = operation(OperationKind::Update, OperationState::InFlight, r#"{"m":2,"n":3}"#, true);
    let written = WriteResult::Done { key: None, stored: None };
    let (rules, traits) = (Rules::default(), Traits::default());
    let concluded = conclude(&first.links[name], write, &operation, &written, &traits, &rules);
    assert_eq!(concluded.link.last, Some(json(r#"{"m":2,"n":3}"#)));

    known.record = first.record.clone();
    known.links.extend(first.links.clone());
    known.links.insert(source("ad"), concluded.link);
    let away = [("ad", Reading::Unreachable("no route".to_owned())), ("crm", crm)];
    let second = look(&known, &away, &terms, &Will::Nothing);
    assert_eq!((second.changes, second.conflicts), (Vec::new(), first.conflicts));
    assert_eq!(second.record.agreed, Some(json(r#"{"m":2,"n":1}"#)));
}

fn judged(owed: &[(&str, Owed)], attempts: u32) -> Verdict {
    let terms = RetryTerms { first: Duration::from_secs(1), max: Duration::from_secs(10), attempts: 3 };
    judge(&owed.iter().map(|(name, owed)| (source(name), owed.clone())).collect(), attempts, &terms, 0.0)
}

#[test]
fn what_fails_is_retried_with_growing_delays_and_then_parked() {
    let failed = [("crm", Owed::Failed("exit status 3".to_owned()))];
    let error = Some("crm: exit status 3".to_owned());
    for (attempts, seconds) in [(0, 1), (1, 2)] {
        let later = Verdict::Later {
            due_in: Duration::from_secs(seconds),
            error: error.clone(),
            blocked_by: vec![],
            spent: true,
        };
        assert_eq!(judged(&failed, attempts), later);
    }
    assert_eq!(judged(&failed, 2), Verdict::Parked { error: "crm: exit status 3".to_owned() });
}

#[test]
fn what_is_unreachable_waits_for_its_source_without_end() {
    let away = [("crm", Owed::Unreachable("no route".to_owned()))];
    let Verdict::Later { blocked_by, spent, .. } = judged(&away, 1_000) else { panic!("it must wait") };
    assert_eq!((blocked_by, spent), (vec![source("crm")], false));
}

#[test]
fn nothing_is_parked_while_another_source_is_away() {
    let owed = [("ad", Owed::Unreachable("no route".to_owned())), ("crm", Owed::Failed("exit status 3".to_owned()))];
    assert!(matches!(judged(&owed, 9), Verdict::Later { spent: true, .. }));
}
