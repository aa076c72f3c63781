//! What a person decides, and what the daemon holds for one.

use crate::domain::merge::{ConflictKind, Decision};
use crate::domain::record::RecordState;
use crate::domain::rules::{ArrayRule, OnDelete};
use crate::domain::text::Text;

use super::{Case, action, conflicts, decided, json, live, new, overruled, patch, shown, source};

fn take(name: &str) -> Decision {
    Decision::Take(source(name))
}

fn value(text: &str) -> Decision {
    Decision::Value(json(text))
}

/// A mail that two sources changed, and that a third left alone.
fn contested() -> Case {
    live(r#"{"mail":"x","n":1}"#)
        .copy("ad", r#"{"mail":"x","n":1}"#)
        .copy("bill", r#"{"mail":"2","n":1}"#)
        .copy("crm", r#"{"mail":"1","n":1}"#)
}

#[test]
fn the_value_of_a_source_is_taken_and_the_losers_are_named() {
    let answer = contested().decide("/mail", take("crm")).ask();
    assert_eq!(shown(answer.agreed.as_ref()), r#"{"mail":"1","n":1}"#);
    assert_eq!(decided(&answer), ["/mail"]);
    assert_eq!(conflicts(&answer), [""; 0]);
    assert_eq!(overruled(&answer), [r#""/mail" bill "2""#]);
    assert_eq!(patch(&answer), [r#""/mail" "x" -> "1" by crm"#]);
    assert_eq!(action(&answer, "ad"), r#"update {"mail":"1","n":1}"#);
    assert_eq!(action(&answer, "bill"), r#"update {"mail":"1","n":1}"#);
    assert_eq!(action(&answer, "crm"), "none");
}

#[test]
fn a_source_that_does_not_contend_can_be_taken_too() {
    let answer = contested().decide("/mail", take("ad")).ask();
    assert_eq!(shown(answer.agreed.as_ref()), r#"{"mail":"x","n":1}"#);
    assert_eq!(overruled(&answer), [r#""/mail" bill "2""#, r#""/mail" crm "1""#]);
    assert_eq!(patch(&answer), [""; 0]);
}

#[test]
fn a_value_of_ones_own_goes_everywhere() {
    let answer = contested().decide("/mail", value(r#""3""#)).ask();
    assert_eq!(patch(&answer), [r#""/mail" "x" -> "3" by "#]);
    assert_eq!(overruled(&answer), [r#""/mail" bill "2""#, r#""/mail" crm "1""#]);
    for name in ["ad", "bill", "crm"] {
        assert_eq!(action(&answer, name), r#"update {"mail":"3","n":1}"#);
    }
}

#[test]
fn absence_can_be_decided() {
    let answer = contested().decide("/mail", Decision::Absent).ask();
    assert_eq!(patch(&answer), [r#""/mail" "x" -> nothing by "#]);
    assert_eq!(action(&answer, "ad"), r#"update {"n":1}"#);
}

#[test]
fn keeping_gives_the_agreed_value_back() {
    let answer = contested().decide("/mail", Decision::Keep).ask();
    assert_eq!(decided(&answer), ["/mail"]);
    assert_eq!(patch(&answer), [""; 0]);
    assert_eq!(action(&answer, "ad"), "none");
    assert_eq!(action(&answer, "crm"), r#"update {"mail":"x","n":1}"#);
}

#[test]
fn a_decision_about_a_place_that_is_not_open_is_stale() {
    let quiet = live(r#"{"mail":"x"}"#).copy("ad", r#"{"mail":"y"}"#).decide("/mail", Decision::Keep).ask();
    assert_eq!(decided(&quiet), [""; 0]);
    assert_eq!(shown(quiet.agreed.as_ref()), r#"{"mail":"y"}"#);
    let above = contested().decide("", Decision::Keep).ask();
    assert_eq!(decided(&above), [""; 0]);
    assert_eq!(above.conflicts.len(), 1);
}

#[test]
fn a_source_of_which_nobody_knows_what_it_holds_cannot_be_taken() {
    for case in [contested().away("hr", None), contested().unlinked("hr"), contested()] {
        let answer = case.decide("/mail", take("hr")).ask();
        assert_eq!(decided(&answer), [""; 0]);
        assert_eq!(answer.conflicts.len(), 1);
    }
    let beside = contested().copy("hr", r#"{"n":1}"#).fields(&["/n"]).decide("/mail", take("hr")).ask();
    assert_eq!(beside.conflicts.len(), 1, "it does not hold mails");
}

#[test]
fn a_contender_that_cannot_be_asked_can_be_taken() {
    let answer = live(r#"{"mail":"x"}"#)
        .away("bill", Some(r#"{"mail":"2"}"#))
        .copy("crm", r#"{"mail":"1"}"#)
        .decide("/mail", take("bill"))
        .ask();
    assert_eq!(action(&answer, "bill"), "later");
    assert_eq!(action(&answer, "crm"), r#"update {"mail":"2"}"#);
}

#[test]
fn a_person_is_not_subject_to_policies() {
    for policy in ["reject-all", "prefer:hr"] {
        let answer = contested().policy(policy).decide("/mail", take("bill")).ask();
        assert_eq!(shown(answer.agreed.as_ref()), r#"{"mail":"2","n":1}"#, "{policy}");
        assert_eq!(decided(&answer), ["/mail"], "{policy}");
    }
}

#[test]
fn an_element_keeps_its_key() {
    let case = || {
        live(r#"{"phones":[]}"#)
            .array("/phones", ArrayRule::Key(Text::from("type")))
            .copy("ad", r#"{"phones":[{"type":"fax","no":1}]}"#)
            .copy("crm", r#"{"phones":[{"type":"fax","no":2}]}"#)
    };
    let answer = case().decide("/phones/fax", value(r#"{"type":"fax","no":3}"#)).ask();
    assert_eq!(shown(answer.agreed.as_ref()), r#"{"phones":[{"no":3,"type":"fax"}]}"#);
    for bad in [r#"{"type":"home","no":3}"#, "3"] {
        let answer = case().decide("/phones/fax", value(bad)).ask();
        assert_eq!(answer.conflicts.len(), 1, "{bad}");
    }
}

/// A record that one source lacks and another changed.
fn removal_contested() -> Case {
    live(r#"{"mail":"x"}"#).copy("ad", r#"{"mail":"x"}"#).copy("bill", r#"{"mail":"y"}"#).missing("crm").unlinked("new")
}

#[test]
fn a_removal_that_a_person_accepts_goes_everywhere() {
    for on_delete in [OnDelete::Propagate, OnDelete::Recreate, OnDelete::Unlink, OnDelete::Hold] {
        for decision in [Decision::Absent, take("crm")] {
            let mut case = removal_contested().decide("", decision);
            case.rules.on_delete = on_delete;
            let answer = case.ask();
            assert_eq!(answer.state, RecordState::Deleted);
            assert_eq!(decided(&answer), [""]);
            assert_eq!(overruled(&answer), [r#""" bill {"mail":"y"}"#]);
            assert_eq!(patch(&answer), [r#""" {"mail":"x"} -> nothing by crm"#]);
            assert_eq!(
                ["ad", "bill", "crm", "new"].map(|name| action(&answer, name)),
                ["delete", "delete", "none", "none"]
            );
        }
    }
}

#[test]
fn a_record_that_a_person_lets_live_comes_back() {
    let answer = removal_contested().decide("", take("bill")).ask();
    assert_eq!(answer.state, RecordState::Live);
    assert_eq!(overruled(&answer), [r#""" crm nothing"#]);
    assert_eq!(patch(&answer), [r#""/mail" "x" -> "y" by bill"#]);
    let y = r#"{"mail":"y"}"#;
    let expected = [format!("update {y}"), "none".to_owned(), format!("create {y}"), format!("create {y}")];
    assert_eq!(["ad", "bill", "crm", "new"].map(|name| action(&answer, name)), expected);
}

#[test]
fn keeping_a_record_gives_it_back_as_it_was_agreed() {
    let mut case = removal_contested().decide("", Decision::Keep);
    case.rules.on_delete = OnDelete::Hold;
    let answer = case.ask();
    assert_eq!(overruled(&answer), [r#""" bill {"mail":"y"}"#, r#""" crm nothing"#]);
    assert_eq!(patch(&answer), [""; 0]);
    let x = r#"{"mail":"x"}"#;
    let expected = ["none".to_owned(), format!("update {x}"), format!("create {x}"), format!("create {x}")];
    assert_eq!(["ad", "bill", "crm", "new"].map(|name| action(&answer, name)), expected);
}

#[test]
fn taking_a_copy_that_holds_a_part_leaves_the_rest_as_agreed() {
    let answer = live(r#"{"mail":"x","n":1}"#)
        .copy("bill", r#"{"mail":"y","own":2}"#)
        .over(r#"{"mail":"x"}"#, r#"{"mail":"x"}"#)
        .fields(&["/mail"])
        .missing("crm")
        .decide("", take("bill"))
        .ask();
    assert_eq!(shown(answer.agreed.as_ref()), r#"{"mail":"y","n":1}"#);
    assert_eq!(action(&answer, "bill"), "none");
}

/// A removed record of which one copy is left, edited.
fn deleted_and_edited() -> Case {
    live(r#"{"mail":"x"}"#)
        .deleted()
        .copy("ad", r#"{"mail":"y"}"#)
        .copy("bill", r#"{"mail":"x"}"#)
        .missing("crm")
        .unlinked("new")
}

#[test]
fn a_removed_record_stays_removed_if_a_person_says_so() {
    for decision in [Decision::Absent, Decision::Keep, take("crm")] {
        let answer = deleted_and_edited().decide("", decision).ask();
        assert_eq!(answer.state, RecordState::Deleted);
        assert_eq!(shown(answer.agreed.as_ref()), r#"{"mail":"x"}"#);
        assert_eq!(overruled(&answer), [r#""" ad {"mail":"y"}"#]);
        assert_eq!(patch(&answer), [""; 0]);
        assert_eq!(decided(&answer), [""]);
        assert_eq!(
            ["ad", "bill", "crm", "new"].map(|name| action(&answer, name)),
            ["delete", "delete", "none", "none"]
        );
    }
}

#[test]
fn a_removed_record_comes_back_if_a_person_says_so() {
    for decision in [take("ad"), value(r#"{"mail":"y"}"#)] {
        let answer = deleted_and_edited().decide("", decision).ask();
        assert_eq!(answer.state, RecordState::Live);
        assert_eq!(overruled(&answer), [""; 0]);
        assert_eq!(patch(&answer), [r#""" nothing -> {"mail":"y"} by ad"#]);
        let y = r#"{"mail":"y"}"#;
        let expected = ["none".to_owned(), format!("update {y}"), format!("create {y}"), format!("create {y}")];
        assert_eq!(["ad", "bill", "crm", "new"].map(|name| action(&answer, name)), expected);
    }
}

/// A new item that waits for a person.
fn waiting() -> Case {
    new().policy("reject-all").copy("ad", r#"{"mail":"1"}"#).copy("bill", r#"{"mail":"2"}"#).unlinked("new")
}

#[test]
fn a_new_item_that_waits_is_let_in_as_one_of_its_copies() {
    let answer = waiting().decide("", take("bill")).ask();
    assert_eq!(shown(answer.agreed.as_ref()), r#"{"mail":"2"}"#);
    assert_eq!(patch(&answer), [r#""" nothing -> {"mail":"2"} by bill"#]);
    assert_eq!(overruled(&answer), [r#""" ad {"mail":"1"}"#]);
    let expected = [r#"update {"mail":"2"}"#, "none", r#"create {"mail":"2"}"#];
    assert_eq!(["ad", "bill", "new"].map(|name| action(&answer, name)), expected);
}

#[test]
fn a_new_item_that_a_person_refuses_is_removed_and_its_document_is_kept() {
    for decision in [Decision::Absent, Decision::Keep] {
        let answer = waiting().decide("", decision).ask();
        assert_eq!(answer.state, RecordState::Deleted);
        assert_eq!(shown(answer.agreed.as_ref()), r#"{"mail":"1"}"#);
        assert_eq!(overruled(&answer), [r#""" ad {"mail":"1"}"#, r#""" bill {"mail":"2"}"#]);
        assert_eq!(["ad", "bill", "new"].map(|name| action(&answer, name)), ["delete", "delete", "none"]);
    }
}

#[test]
fn a_held_place_is_open_for_its_own_reason() {
    let case =
        || live(r#"{"mail":"x","n":1}"#).copy("ad", r#"{"mail":"y","n":2}"#).copy("bill", r#"{"mail":"x","n":1}"#);
    let answer = case().hold("/mail", ConflictKind::Oscillation).ask();
    assert_eq!(conflicts(&answer), [r#"Oscillation "/mail": "y" of ad, "x" of bill"#]);
    assert_eq!(action(&answer, "bill"), r#"update {"mail":"x","n":2}"#);
    let answer = case().hold("/mail", ConflictKind::Oscillation).decide("/mail", take("ad")).ask();
    assert_eq!(shown(answer.agreed.as_ref()), r#"{"mail":"y","n":2}"#);
    assert_eq!(decided(&answer), ["/mail"]);
}

#[test]
fn a_held_object_is_open_whole_and_without_news_not_at_all() {
    let case = |city: &str| {
        live(r#"{"a":{"city":1,"zip":1}}"#)
            .copy("ad", &format!(r#"{{"a":{{"city":{city},"zip":1}}}}"#))
            .copy("bill", r#"{"a":{"city":1}}"#)
            .over(r#"{"a":{"city":1}}"#, r#"{"a":{"city":1}}"#)
            .hold("/a", ConflictKind::Held)
            .ask()
    };
    assert_eq!(conflicts(&case("2")), [r#"Held "/a": {"city":2,"zip":1} of ad"#]);
    assert_eq!(conflicts(&case("1")), [""; 0]);
    assert_eq!(action(&case("1"), "bill"), r#"update {"a":{"city":1,"zip":1}}"#);
}

#[test]
fn what_sources_fought_over_is_no_conflict_any_more_once_they_agree() {
    let case = |policy: &str, crm: &str| {
        live(r#"{"mail":"x"}"#)
            .policy(policy)
            .copy("ad", r#"{"mail":"y"}"#)
            .copy("bill", r#"{"mail":"y"}"#)
            .copy("crm", crm)
            .away("ldap", None)
            .hold("/mail", ConflictKind::Oscillation)
            .ask()
    };
    let agreeing = case("ignore-conflicts", r#"{"mail":"y"}"#);
    assert_eq!((conflicts(&agreeing), patch(&agreeing)), (vec![], vec![r#""/mail" "x" -> "y" by ad+bill+crm"#.into()]));
    let fighting = case("ignore-conflicts", r#"{"mail":"x"}"#);
    assert_eq!(conflicts(&fighting), [r#"Oscillation "/mail": "y" of ad+bill, "x" of crm"#]);
    // With the others, it would undo what the trusted source says: that fight is not over.
    let overruled = case("trust-only:ldap", r#"{"mail":"y"}"#);
    assert_eq!(conflicts(&overruled), [r#"Oscillation "/mail": "y" of ad+bill+crm"#]);
}

#[test]
fn a_held_record_does_not_move_as_long_as_there_is_news() {
    let case =
        || live(r#"{"n":1}"#).copy("ad", r#"{"n":2}"#).copy("bill", r#"{"n":0}"#).over(r#"{"n":0}"#, r#"{"n":0}"#);
    let answer = case().hold("", ConflictKind::Schema).ask();
    assert_eq!(conflicts(&answer), [r#"Schema "": {"n":2} of ad"#]);
    assert_eq!(action(&answer, "bill"), "none");
    let answer = case().hold("", ConflictKind::Schema).decide("", value(r#"{"n":3}"#)).ask();
    assert_eq!(patch(&answer), [r#""/n" 1 -> 3 by "#]);
    assert_eq!(action(&answer, "bill"), r#"update {"n":3}"#);
    let quiet = live(r#"{"n":1}"#).copy("bill", r#"{"n":0}"#).over(r#"{"n":0}"#, r#"{"n":0}"#);
    assert_eq!(action(&quiet.hold("", ConflictKind::Schema).ask(), "bill"), r#"update {"n":1}"#);
}

#[test]
fn a_new_item_that_matches_another_record_is_held() {
    let case = || new().copy("ad", r#"{"n":1}"#).unlinked("new").hold("", ConflictKind::Match);
    let answer = case().ask();
    assert_eq!(conflicts(&answer), [r#"Match "": {"n":1} of ad"#]);
    assert_eq!(action(&answer, "new"), "none");
    let answer = case().decide("", take("ad")).ask();
    assert_eq!(action(&answer, "new"), r#"create {"n":1}"#);
}
