//! What a source made of a write.

use crate::domain::merge::{absorb, adds_unseen_member, restrict};
use crate::domain::record::Base;
use crate::domain::rules::{ArrayRule, Fields, Rules};
use crate::domain::text::Text;

use super::{json, pointer, shown};

fn rules() -> Rules {
    let keyed = (pointer("/phones"), ArrayRule::Key(Text::from("type")));
    Rules { arrays: [keyed, (pointer("/tags"), ArrayRule::Set)].into(), ..Rules::default() }
}

fn fields(places: &[&str]) -> Fields {
    Some(places.iter().map(|place| pointer(place)).collect())
}

/// Shows what came of a write: the shadow, then `tidied` and `edited` where they hold.
fn stored(before: Option<&str>, sent: &str, stored: &str) -> String {
    stored_over(before, sent, stored, sent, &None)
}

fn stored_over(before: Option<&str>, sent: &str, stored: &str, carried: &str, fields: &Fields) -> String {
    let carried = Base { shadow: Some(json(carried)), ..Base::default() };
    let absorbed = absorb(&json(sent), before.map(json).as_ref(), &json(stored), &carried, fields, &rules());
    let flag = |holds, word| if holds { word } else { "" };
    format!(
        "{}{}{}",
        shown(absorbed.shadow.as_ref()),
        flag(absorbed.tidied, " tidied"),
        flag(absorbed.follow_up, " edited")
    )
}

#[test]
fn what_was_stored_as_sent_is_the_shadow() {
    assert_eq!(stored(None, r#"{"a":1}"#, r#"{"a":1.0}"#), r#"{"a":1}"#);
    assert_eq!(stored(Some(r#"{"a":0}"#), r#"{"a":1}"#, r#"{"a":1}"#), r#"{"a":1}"#);
}

#[test]
fn a_value_that_differs_where_we_wrote_is_tidied() {
    assert_eq!(stored(None, r#"{"a":"Bob"}"#, r#"{"a":"B"}"#), r#"{"a":"B"} tidied"#);
    assert_eq!(stored(Some(r#"{"a":"x"}"#), r#"{"a":"Bob"}"#, r#"{"a":"B"}"#), r#"{"a":"B"} tidied"#);
    assert_eq!(stored(Some(r#"{"a":"x"}"#), r#"{"a":"y"}"#, r#"{"a":"x"}"#), r#"{"a":"x"} tidied"#);
    assert_eq!(
        stored(Some(r#"{"o":{"x":1}}"#), r#"{"o":{"x":2,"y":3}}"#, r#"{"o":{"x":2.5,"y":3}}"#),
        r#"{"o":{"x":2.5,"y":3}} tidied"#
    );
}

#[test]
fn a_value_that_differs_where_we_changed_nothing_is_an_edit_unless_it_is_spelled_anew() {
    assert_eq!(
        stored(Some(r#"{"a":"x","b":1}"#), r#"{"a":"x","b":2}"#, r#"{"a":"y","b":2}"#),
        r#"{"a":"x","b":2} edited"#
    );
    assert_eq!(
        stored(Some(r#"{"a":" x","b":1}"#), r#"{"a":" x","b":2}"#, r#"{"a":"X","b":2}"#),
        r#"{"a":"X","b":2} tidied"#
    );
}

#[test]
fn a_member_that_is_not_there_was_dropped_or_removed() {
    assert_eq!(stored(Some(r#"{"a":1}"#), r#"{"a":1,"b":2}"#, r#"{"a":1}"#), r#"{"a":1} tidied"#);
    assert_eq!(stored(None, r#"{"a":1,"b":{"c":1}}"#, r#"{"a":1}"#), r#"{"a":1} tidied"#);
    assert_eq!(stored(Some(r#"{"a":1,"b":1}"#), r#"{"a":1,"b":2}"#, r#"{"a":1}"#), r#"{"a":1,"b":2} edited"#);
}

#[test]
fn a_member_that_appears_is_an_edit() {
    assert_eq!(stored(Some("{}"), r#"{"a":1}"#, r#"{"a":1,"b":{"c":2}}"#), r#"{"a":1} edited"#);
    assert_eq!(stored(None, r#"{"a":{}}"#, r#"{"a":{"b":2}}"#), r#"{"a":{}} edited"#);
}

#[test]
fn a_member_that_stays_although_it_was_to_go_is_the_sources_way() {
    assert_eq!(stored(Some(r#"{"a":1,"b":2}"#), r#"{"a":1}"#, r#"{"a":1,"b":2}"#), r#"{"a":1,"b":2} tidied"#);
    assert_eq!(stored(Some(r#"{"a":1,"b":2}"#), r#"{"a":1}"#, r#"{"a":1,"b":3}"#), r#"{"a":1} edited"#);
}

#[test]
fn arrays_are_absorbed_by_element_where_they_are_merged_so() {
    let phones = |list: &str| format!(r#"{{"phones":[{list}]}}"#);
    let (home, work) = (r#"{"no":1,"type":"home"}"#, r#"{"no":2,"type":"work"}"#);
    let both = phones(&format!("{home},{work}"));
    assert_eq!(stored(Some(&phones(home)), &both, &phones(home)), format!("{} tidied", phones(home)));
    assert_eq!(stored(Some(&both), &both, &phones(work)), format!("{} edited", phones(&format!("{work},{home}"))));
    assert_eq!(
        stored(Some(r#"{"tags":["a"]}"#), r#"{"tags":["a","b"]}"#, r#"{"tags":["a"]}"#),
        r#"{"tags":["a"]} tidied"#
    );
    assert_eq!(stored(Some(r#"{"tags":["a"]}"#), r#"{"tags":["a"]}"#, r#"{"tags":["c"]}"#), r#"{"tags":["a"]} edited"#);
    assert_eq!(stored(None, r#"{"list":[1,2]}"#, r#"{"list":[2]}"#), r#"{"list":[2]} tidied"#);
}

#[test]
fn a_place_that_is_open_stays_so() {
    // The copy's own value was sent back; the shadow is older.
    let before = r#"{"a":"own","b":1}"#;
    let sent = r#"{"a":"own","b":2}"#;
    let carried = r#"{"a":"x","b":2}"#;
    assert_eq!(stored_over(Some(before), sent, sent, carried, &None), carried);
    assert_eq!(stored_over(Some(before), sent, r#"{"a":"OWN","b":2}"#, carried, &None), format!("{carried} tidied"));
    assert_eq!(stored_over(Some(before), sent, r#"{"a":"new","b":2}"#, carried, &None), format!("{carried} edited"));
}

#[test]
fn what_is_not_ours_is_not_looked_at() {
    let within = fields(&["/a/b", "/n"]);
    let found = stored_over(
        Some(r#"{"a":{"b":1,"own":1}}"#),
        r#"{"a":{"b":2,"own":1}}"#,
        r#"{"a":{"b":2,"own":7},"else":1}"#,
        r#"{"a":{"b":2}}"#,
        &within,
    );
    assert_eq!(found, r#"{"a":{"b":2}}"#);
    assert_eq!(stored_over(None, r#"{"n":1}"#, "{}", r#"{"n":1}"#, &within), "{} tidied");
}

#[test]
fn members_that_the_copy_never_had_are_noticed() {
    let adds = |sent: &str, held: &str| adds_unseen_member(&json(sent), Some(&json(held)));
    assert!(!adds(r#"{"a":1,"o":{"x":2}}"#, r#"{"a":0,"o":{"x":1,"y":1}}"#));
    assert!(adds(r#"{"a":1}"#, "{}"));
    assert!(adds(r#"{"o":{"x":2}}"#, r#"{"o":{}}"#));
    assert!(adds(r#"{"o":{"x":2}}"#, r#"{"o":1}"#));
    assert!(adds(r#"{"l":[{"x":1},{"x":2}]}"#, r#"{"l":[{"x":1}]}"#));
    assert!(!adds(r#"{"l":[1,2]}"#, r#"{"l":[1]}"#));
    assert!(adds_unseen_member(&json(r#"{"a":1}"#), None));
    assert!(!adds_unseen_member(&json("1"), None));
}

#[test]
fn a_document_is_restricted_to_fields() {
    let document = json(r#"{"a":{"b":1,"c":2},"n":null,"l":[{"x":1}]}"#);
    let restricted = |places: &[&str]| shown(restrict(&document, &fields(places)).as_ref());
    assert_eq!(restrict(&document, &None), Some(document.clone()));
    assert_eq!(restricted(&["/a/b", "/n"]), r#"{"a":{"b":1},"n":null}"#);
    assert_eq!(restricted(&["/a", "/a/b"]), r#"{"a":{"b":1,"c":2}}"#);
    assert_eq!(restricted(&["/a/x", "/l/0", "/n/y"]), "nothing");
    assert_eq!(restricted(&[""]), document.to_string());
    assert_eq!(restricted(&[]), "nothing");
}
