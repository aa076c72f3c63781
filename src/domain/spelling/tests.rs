use std::borrow::Cow;

use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use super::{canonical, folded, same};
use crate::domain::json::Json;
use crate::domain::pointer::Pointer;
use crate::domain::rules::{ArrayRule, FieldRule, Folding, Rules};
use crate::domain::text::Text;

fn pointer(text: &str) -> Pointer {
    text.parse().expect("a pointer")
}

fn rules(equal: &[(&str, &[Folding])], arrays: &[(&str, ArrayRule)]) -> Rules {
    let field = |foldings: &[Folding]| FieldRule { equal: Some(foldings.to_vec()), ..FieldRule::default() };
    Rules {
        fields: equal.iter().map(|(at, foldings)| (pointer(at), field(foldings))).collect(),
        arrays: arrays.iter().map(|(at, rule)| (pointer(at), rule.clone())).collect(),
        ..Rules::default()
    }
}

fn check(rules: &Rules, at: &str, a: &str, b: &str, expected: bool) {
    let (a, b): (Json, Json) = (a.parse().expect("JSON"), b.parse().expect("JSON"));
    let at = pointer(at);
    assert_eq!(same(Some(&a), Some(&b), &at, rules), expected, "{a} and {b} at {at}");
    assert_eq!(canonical(&a, &at, rules) == canonical(&b, &at, rules), expected, "{a} and {b} at {at}, in one form");
}

#[test]
fn without_rules_a_value_is_its_own_form() {
    let value: Json = r#"{"a":[" A "]}"#.parse().expect("JSON");
    let rules = rules(&[("/b", &[Folding::Trim])], &[("/b", ArrayRule::Set)]);
    assert!(matches!(canonical(&value, &pointer("/a"), &rules), Cow::Borrowed(_)));
    check(&Rules::default(), "", "[1,2]", "[2,1]", false);
    check(&Rules::default(), "", r#"{"a":1.0,"b":2}"#, r#"{"b":2,"a":1}"#, true);
}

#[test]
fn absence_is_the_same_as_absence_alone() {
    assert!(same(None, None, &Pointer::root(), &Rules::default()));
    assert!(!same(None, Some(&Json::Null), &Pointer::root(), &Rules::default()));
}

#[test]
fn the_longest_prefix_that_says_equal_counts() {
    let rules = rules(&[("", &[Folding::Casefold]), ("/a", &[Folding::Trim]), ("/a/b", &[])], &[]);
    check(&rules, "/x", r#""A""#, r#""a""#, true);
    check(&rules, "/a", r#""A""#, r#""a""#, false);
    check(&rules, "/a", r#""a ""#, r#""a""#, true);
    check(&rules, "/a/b/c", r#""a ""#, r#""a""#, false);
    check(&rules, "", r#"{"x":"A","a":{"c":" a","b":"a"}}"#, r#"{"x":"a","a":{"c":"a","b":"a"}}"#, true);
    check(&rules, "", r#"{"a":{"b":"A"}}"#, r#"{"a":{"b":"a"}}"#, false);
}

#[test]
fn names_of_members_are_never_folded() {
    check(&rules(&[("", &[Folding::Casefold])], &[]), "", r#"{"A":1}"#, r#"{"a":1}"#, false);
}

#[test]
fn elements_of_an_array_have_its_rule() {
    let rules = rules(&[("/tags", &[Folding::Casefold]), ("/tags/name", &[])], &[]);
    check(
        &rules,
        "",
        r#"{"tags":["A",["B"],{"x":"C","name":"d"}]}"#,
        r#"{"tags":["a",["b"],{"x":"c","name":"d"}]}"#,
        true,
    );
    check(&rules, "/tags", r#"[{"name":"D"}]"#, r#"[{"name":"d"}]"#, false);
    check(&rules, "/tags", r#"["a","b"]"#, r#"["b","a"]"#, false);
}

#[test]
fn sets_have_no_order() {
    let rules = rules(&[("/tags", &[Folding::Casefold])], &[("/tags", ArrayRule::Set)]);
    check(&rules, "/tags", r#"["A",1,"b"]"#, r#"[1.0,"B","a","A"]"#, true);
    check(&rules, "/tags", r#"["a"]"#, r#"["a","b"]"#, false);
    check(&rules, "/tags", r#"[["a","b"]]"#, r#"[["b","a"]]"#, false);
    check(&rules, "/tags", "[]", "{}", false);
}

#[test]
fn keyed_arrays_have_no_order_and_their_keys_are_names() {
    let key = ArrayRule::Key(Text::from("type"));
    let rules = rules(&[("/phones", &[Folding::Casefold]), ("/phones/fax/no", &[])], &[("/phones", key)]);
    check(
        &rules,
        "",
        r#"{"phones":[{"type":"a","no":"X"},{"type":"b"}]}"#,
        r#"{"phones":[{"type":"b"},{"type":"a","no":"x"}]}"#,
        true,
    );
    check(&rules, "/phones", r#"[{"type":"A"}]"#, r#"[{"type":"a"}]"#, false);
    check(&rules, "/phones", r#"[{"type":"fax","no":"X"}]"#, r#"[{"type":"fax","no":"x"}]"#, false);
    check(
        &rules,
        "/phones",
        r#"[{"type":"a","no":1},{"type":"a","no":2}]"#,
        r#"[{"type":"a","no":2},{"type":"a","no":1}]"#,
        false,
    );
    check(&rules, "/phones", r#"[{"type":1},{"type":2}]"#, r#"[{"type":2},{"type":1}]"#, false);
}

#[test]
fn foldings_know_all_of_unicode() {
    let fold = |text: &str, foldings: &[Folding]| {
        let text: Json = format!("\"{text}\"").parse().expect("JSON");
        folded(text.as_text().expect("a string"), foldings).to_string()
    };
    assert_eq!(fold("Straße", &[Folding::Casefold]), fold("STRASSE", &[Folding::Casefold]));
    assert_eq!(fold("ΌΣΟΣ", &[Folding::Casefold]), fold("όσος", &[Folding::Casefold]));
    assert_eq!(fold("e\u{301}", &[Folding::Nfc]), "\"é\"");
    assert_ne!(fold("E\u{301}", &[Folding::Casefold]), fold("é", &[Folding::Casefold]));
    assert_eq!(fold("E\u{301}", &[Folding::Casefold, Folding::Nfc]), fold("é", &[Folding::Nfc, Folding::Casefold]));
    assert_eq!(
        fold("\u{1fc3}", &[Folding::Casefold, Folding::Nfc]),
        fold("\u{3b7}\u{345}", &[Folding::Casefold, Folding::Nfc])
    );
    assert_eq!(fold("\u{2003}\\t a b \u{a0}", &[Folding::Trim]), "\"a b\"");
    assert_eq!(fold(" \\ud800 \\udc00A ", &[Folding::Trim, Folding::Casefold]), r#""\ud800 \udc00a""#);
    assert_eq!(fold(" A\\ud800", &[Folding::Trim]), r#""A\ud800""#);
}

proptest! {
    #[test]
    fn a_folded_text_is_folded(text in "\\PC{0,12}", mask in 0_usize..8) {
        let all = [Folding::Trim, Folding::Casefold, Folding::Nfc];
        let foldings: Vec<Folding> = all.into_iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1).map(|(_, folding)| folding).collect();
        let once = folded(&Text::from(text), &foldings);
        prop_assert_eq!(&folded(&once, &foldings), &once);
    }

    #[test]
    fn sameness_is_that_of_the_canonical_forms(a in "[aA ]{0,3}", b in "[aA ]{0,3}") {
        let rules = rules(&[("", &[Folding::Trim, Folding::Casefold])], &[]);
        let (x, y) = (Json::from(a.as_str()), Json::from(b.as_str()));
        prop_assert_eq!(same(Some(&x), Some(&y), &Pointer::root(), &rules), a.trim().to_lowercase() == b.trim().to_lowercase());
        prop_assert!(same(Some(&x), Some(&x), &Pointer::root(), &rules));
    }
}
