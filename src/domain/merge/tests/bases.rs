//! What is recorded of each copy, whether its write succeeds or fails.

use crate::domain::merge::Answer;
use crate::domain::record::Base;
use crate::domain::rules::ArrayRule;

use super::{action, conflicts, live, new, shown, source};

fn base(base: &Base) -> String {
    let places = |name: &str, places: &[super::Pointer]| match places {
        [] => String::new(),
        [_, ..] => {
            format!(" {name} {}", places.iter().map(|place| format!("\"{place}\"")).collect::<Vec<_>>().join(" "))
        }
    };
    let (unknown, owed) = (places("unknown", &base.unknown), places("owed", &base.owed));
    format!("{} for {}{unknown}{owed}", shown(base.shadow.as_ref()), shown(base.ack.as_ref()))
}

/// Shows the base as `shadow for ack`: if the write fails, and if it succeeds where that is not the same.
fn bases(answer: &Answer, name: &str) -> Vec<String> {
    let outcome = &answer.copies[&source(name)];
    let mut bases = vec![base(&outcome.unwritten), base(&outcome.written)];
    bases.dedup();
    bases
}

#[test]
fn a_copy_that_is_in_step_stands_for_what_is_agreed() {
    let answer = live(r#"{"n":1}"#).copy("ad", r#"{"n":2}"#).copy("crm", r#"{"n":1}"#).ask();
    let settled = r#"{"n":2} for {"n":2}"#;
    assert_eq!(bases(&answer, "ad"), [settled]);
    assert_eq!(bases(&answer, "crm"), [r#"{"n":1} for {"n":1}"#, settled]);
}

#[test]
fn an_edit_that_is_lost_leaves_a_correction_owed_until_it_is_written() {
    let answer = live(r#"{"n":1,"m":1}"#)
        .policy("trust-only:crm")
        .copy("ad", r#"{"n":2,"m":1}"#)
        .copy("crm", r#"{"n":1,"m":1}"#)
        .ask();
    assert_eq!(
        bases(&answer, "ad"),
        [r#"{"m":1,"n":2} for {"m":1,"n":1} owed "/n""#, r#"{"m":1,"n":1} for {"m":1,"n":1}"#]
    );
}

#[test]
fn what_is_owed_and_not_written_stays_owed() {
    let answer = live(r#"{"n":1}"#).copy("ad", r#"{"n":9}"#).over(r#"{"n":9}"#, r#"{"n":1}"#).owed("/n").ask();
    assert_eq!(bases(&answer, "ad"), [r#"{"n":9} for {"n":1} owed "/n""#, r#"{"n":1} for {"n":1}"#]);
}

#[test]
fn a_copy_that_came_to_what_was_agreed_and_is_left_behind_stands_for_that() {
    let answer =
        live(r#"{"n":2}"#).copy("ad", r#"{"n":2}"#).over(r#"{"n":1}"#, r#"{"n":3}"#).copy("crm", r#"{"n":3}"#).ask();
    assert_eq!(bases(&answer, "ad"), [r#"{"n":2} for {"n":2}"#, r#"{"n":3} for {"n":3}"#]);
}

#[test]
fn an_open_place_keeps_its_base_while_the_others_move() {
    let answer = live(r#"{"m":1,"n":1}"#).copy("ad", r#"{"m":2,"n":2}"#).copy("crm", r#"{"m":1,"n":3}"#).ask();
    assert_eq!(conflicts(&answer).len(), 1);
    let settled = r#"{"m":2,"n":1} for {"m":2,"n":1}"#;
    assert_eq!(bases(&answer, "ad"), [settled]);
    assert_eq!(bases(&answer, "crm"), [r#"{"m":1,"n":1} for {"m":1,"n":1}"#, settled]);
    assert_eq!(action(&answer, "crm"), r#"update {"m":2,"n":3}"#);
}

#[test]
fn what_is_unknown_or_owed_at_an_open_place_stays_so_there_alone() {
    let answer = live(r#"{"m":1,"n":1}"#)
        .copy("ad", r#"{"m":1,"n":2}"#)
        .unknown("")
        .owed("")
        .copy("crm", r#"{"m":1,"n":3}"#)
        .ask();
    let left = r#"{"m":1,"n":1} for {"m":1,"n":1} unknown "/n" owed "/n""#;
    assert_eq!(bases(&answer, "ad"), [left]);
}

#[test]
fn nothing_moves_as_long_as_the_record_is_open() {
    let answer =
        live(r#"{"n":1}"#).copy("ad", r#"{"n":2}"#).owed("/n").missing("crm").away("hr", Some(r#"{"n":5}"#)).ask();
    assert_eq!(bases(&answer, "ad"), [r#"{"n":1} for {"n":1} owed "/n""#]);
    assert_eq!(bases(&answer, "crm"), [r#"{"n":1} for {"n":1}"#]);
    assert_eq!(bases(&answer, "hr"), [r#"{"n":1} for {"n":1}"#]);
}

#[test]
fn a_source_that_takes_no_part_keeps_its_base() {
    let answer = live(r#"{"n":1}"#)
        .away("ad", None)
        .over(r#"{"n":0}"#, r#"{"n":-1}"#)
        .owed("/x")
        .copy("crm", r#"{"n":2}"#)
        .ask();
    assert_eq!(bases(&answer, "ad"), [r#"{"n":0} for {"n":-1} owed "/x""#]);
}

#[test]
fn a_contender_that_cannot_be_asked_is_dealt_with_as_if_its_write_had_failed() {
    let won = live(r#"{"n":1}"#).away("ad", Some(r#"{"n":2}"#)).copy("crm", r#"{"n":1}"#).ask();
    assert_eq!(bases(&won, "ad"), [r#"{"n":2} for {"n":2}"#]);
    let lost = live(r#"{"n":1}"#).policy("accept-all").away("ad", Some(r#"{"n":2}"#)).copy("crm", r#"{"n":3}"#).ask();
    assert_eq!(bases(&lost, "ad"), [r#"{"n":2} for {"n":1} owed "/n""#]);
}

#[test]
fn a_new_copy_stands_for_what_it_is_created_with() {
    let answer = live(r#"{"m":1,"n":1}"#).copy("ad", r#"{"m":1,"n":1}"#).unlinked("new").fields(&["/n"]).ask();
    assert_eq!(bases(&answer, "new"), ["nothing for nothing", r#"{"n":1} for {"n":1}"#]);
}

#[test]
fn a_removal_that_was_overruled_leaves_the_copy_owed() {
    let answer = live(r#"{"n":1}"#).policy("trust-only:crm").missing("ad").copy("crm", r#"{"n":1}"#).ask();
    assert_eq!(bases(&answer, "ad"), [r#"nothing for {"n":1} owed """#, r#"{"n":1} for {"n":1}"#]);
    // It is not removed once more if that write fails.
    let again = live(r#"{"n":1}"#).policy("accept-all").add("ad", super::Found::Missing).copy("crm", r#"{"n":1}"#);
    let mut again = again;
    again.copies[0].1.base = answer.copies[&source("ad")].unwritten.clone();
    assert_eq!(action(&again.ask(), "ad"), r#"create {"n":1}"#);
}

#[test]
fn a_copy_of_a_removed_record_is_recorded_as_it_was_read() {
    let answer = live(r#"{"n":1}"#).policy("trust-only:crm").copy("ad", r#"{"n":2}"#).missing("crm").ask();
    assert_eq!(bases(&answer, "ad"), [r#"{"n":2} for {"n":1} owed """#, "nothing for nothing"]);
    assert_eq!(bases(&answer, "crm"), ["nothing for nothing"]);
}

#[test]
fn bases_hold_nothing_beside_the_fields() {
    let answer = live(r#"{"a":{"b":1,"c":1},"n":1}"#)
        .copy("ad", r#"{"a":{"b":2,"own":1},"own":2}"#)
        .over(r#"{"a":{"b":1}}"#, r#"{"a":{"b":1}}"#)
        .fields(&["/a/b"])
        .copy("crm", r#"{"a":{"b":1,"c":1},"n":1}"#)
        .ask();
    assert_eq!(bases(&answer, "ad"), [r#"{"a":{"b":2}} for {"a":{"b":2}}"#]);
    let empty = live(r#"{"n":1}"#).copy("ad", r#"{"own":2}"#).over("{}", "{}").fields(&["/x"]).ask();
    assert_eq!(bases(&empty, "ad"), ["{} for {}"]);
}

#[test]
fn an_object_all_of_whose_members_are_open_is_known_to_be_there_once_it_is_agreed() {
    let answer = new().copy("ad", r#"{"o":{"x":1}}"#).copy("crm", r#"{"o":{"x":2}}"#).ask();
    assert_eq!(bases(&answer, "ad"), ["{} for {}"]);
    let answer = live(r#"{"o":{}}"#)
        .copy("ad", r#"{"o":{"x":1}}"#)
        .over("{}", "{}")
        .copy("crm", r#"{"o":{"x":2}}"#)
        .over("{}", "{}")
        .ask();
    assert_eq!(bases(&answer, "ad"), [r#"{"o":{}} for {"o":{}}"#]);
}

#[test]
fn a_set_is_acknowledged_element_by_element() {
    let answer = live(r#"{"t":["a","b"]}"#)
        .array("/t", ArrayRule::Set)
        .copy("ad", r#"{"t":["c","b"]}"#)
        .over(r#"{"t":["b"]}"#, r#"{"t":["b"]}"#)
        .copy("crm", r#"{"t":["a"]}"#)
        .ask();
    assert_eq!(shown(answer.agreed.as_ref()), r#"{"t":["a","c"]}"#);
    assert_eq!(action(&answer, "ad"), r#"update {"t":["c","a"]}"#);
    let written = r#"{"t":["c","a"]} for {"t":["a","c"]}"#;
    assert_eq!(bases(&answer, "ad"), [r#"{"t":["c","b"]} for {"t":["b","c"]}"#, written]);
}

#[test]
fn what_a_trusted_source_has_no_copy_of_yet_stays_open_once_it_has_one() {
    let first = new()
        .policy_at("/n", "trust-only:crm")
        .copy("ad", r#"{"m":1,"n":1}"#)
        .copy("bill", r#"{"m":1,"n":2}"#)
        .unlinked("crm")
        .ask();
    assert_eq!(conflicts(&first), [r#"EditEdit "/n": 1 of ad, 2 of bill"#]);
    assert_eq!(bases(&first, "ad"), [r#"{"m":1} for {"m":1} unknown "/n""#]);
    let mut then = live(r#"{"m":1}"#)
        .policy_at("/n", "trust-only:crm")
        .copy("ad", r#"{"m":1,"n":1}"#)
        .copy("bill", r#"{"m":1,"n":2}"#)
        .copy("crm", r#"{"m":1}"#);
    for (name, known) in &mut then.copies {
        known.base = first.copies[name].written.clone();
    }
    assert_eq!(conflicts(&then.ask()), conflicts(&first));
}
