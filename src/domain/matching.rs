//! By which text a new item is recognized as a copy of a record that is known already.

use std::collections::BTreeSet;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::json::Json;
use super::merge;
use super::patch;
use super::pointer::Pointer;
use super::rules::{Fields, Rules};
use super::spelling::canonical;

/// The longest text, in bytes, that is given as it is; a longer one is given by its hash.
const LONGEST: usize = 512;

/// Returns the text that two documents share exactly if they are equal in all places of `match`.
///
/// `None` if there are no such places, or one is absent or `null`: then the document matches nothing.
/// The text is proper UTF-8, holds no NUL, and is bounded in size.
pub fn match_value(document: &Json, rules: &Rules) -> Option<String> {
    let places: BTreeSet<_> = rules.matching.iter().collect();
    let value = |at| match patch::find(document, at, rules)? {
        Json::Null => None,
        value => Some(one_spelling(&canonical(value, at, rules))),
    };
    let values = places.into_iter().map(value).collect::<Option<Vec<_>>>()?;
    (!values.is_empty()).then(|| bounded(Json::from(values).to_string()))
}

/// Names the rules by which match values are made: those that were made by others cannot be compared with them. The name is never empty.
pub fn rules_of_values(rules: &Rules) -> String {
    let places: BTreeSet<_> = rules.matching.iter().collect();
    if places.is_empty() {
        return "no match".to_owned();
    }
    let equal: Vec<_> = rules.fields.iter().filter_map(|(at, rule)| Some((at, rule.equal.as_ref()?))).collect();
    bounded(format!("match {places:?}, equal {equal:?}, arrays {:?}", rules.arrays))
}

/// Says whether a copy that was read is what was sent, within the source's `fields` and but for spellings that count as equal.
pub fn is_what_was_sent(sent: &Json, found: &Json, fields: &Fields, rules: &Rules) -> bool {
    let within = |document| {
        let document = merge::restrict(document, fields)?;
        Some(canonical(&document, &Pointer::root(), rules).into_owned())
    };
    within(sent) == within(found)
}

/// Writes each number in the one spelling that its value has.
fn one_spelling(value: &Json) -> Json {
    match value {
        Json::Number(number) => Json::Number(number.canonical()),
        Json::Array(elements) => elements.iter().map(one_spelling).collect(),
        Json::Object(members) => {
            Json::Object(members.iter().map(|(name, value)| (name.clone(), one_spelling(value))).collect())
        }
        Json::Null | Json::Bool(_) | Json::String(_) => value.clone(),
    }
}

/// Such a text is an array, or names rules, so that it is never mistaken for a hash.
fn bounded(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let mut hash = String::from("sha256:");
    for byte in Sha256::digest(text) {
        write!(hash, "{byte:02x}").expect("writing to a string cannot fail");
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::{match_value, rules_of_values};
    use crate::domain::json::Json;
    use crate::domain::rules::{ArrayRule, FieldRule, Folding, Rules};
    use crate::domain::text::Text;

    fn rules(matching: &[&str]) -> Rules {
        let email = FieldRule { equal: Some(vec![Folding::Trim, Folding::Casefold]), ..FieldRule::default() };
        Rules {
            matching: matching.iter().map(|at| at.parse().expect("a pointer")).collect(),
            fields: [("/email".parse().expect("a pointer"), email)].into(),
            arrays: [("/phones".parse().expect("a pointer"), ArrayRule::Key(Text::from("type")))].into(),
            ..Rules::default()
        }
    }

    fn value(document: &str, matching: &[&str]) -> Option<String> {
        match_value(&document.parse::<Json>().expect("JSON"), &rules(matching))
    }

    #[test]
    fn without_places_nothing_matches() {
        assert_eq!(value(r#"{"email":"a"}"#, &[]), None);
    }

    #[test]
    fn absent_and_null_match_nothing() {
        assert_eq!(value(r#"{"email":"a"}"#, &["/email", "/name"]), None);
        assert_eq!(value(r#"{"email":"a","name":null}"#, &["/email", "/name"]), None);
    }

    #[test]
    fn spellings_of_one_value_match() {
        let expected = value(r#"{"email":"ann@x.org","no":[1,{"a":100}]}"#, &["/email", "/no"]);
        assert!(expected.is_some());
        assert_eq!(value(r#"{"no":[1.0,{"a":1e2}],"email":" Ann@X.org"}"#, &["/no", "/email", "/email"]), expected);
        assert_ne!(value(r#"{"email":"ann@x.org","no":[1,{"a":101}]}"#, &["/email", "/no"]), expected);
        assert_ne!(value(r#"{"email":"ann@x.org","no":"[1,{\"a\":100}]"}"#, &["/email", "/no"]), expected);
    }

    #[test]
    fn elements_of_keyed_arrays_can_be_matched() {
        let expected = Some(r#"["1"]"#.to_owned());
        assert_eq!(
            value(r#"{"phones":[{"type":"fax","no":"2"},{"type":"home","no":"1"}]}"#, &["/phones/home/no"]),
            expected
        );
    }

    #[test]
    fn rules_that_make_other_values_have_other_names() {
        let named = rules_of_values(&rules(&["/email"]));
        let [mut unmatched, of_none] = [rules(&[]), rules(&[])];
        unmatched.fields.clear();
        assert_eq!(rules_of_values(&unmatched), rules_of_values(&of_none), "they make none");
        assert_ne!(rules_of_values(&of_none), named);
        assert_eq!(rules_of_values(&rules(&["/email", "/email"])), named);
        assert_ne!(rules_of_values(&rules(&["/name"])), named);
        let [mut spelled, mut keyed, mut atomic] = [(); 3].map(|()| rules(&["/email"]));
        spelled.fields.values_mut().for_each(|rule| rule.equal = None);
        keyed.arrays.clear();
        atomic.fields.values_mut().for_each(|rule| rule.atomic = true);
        for other in [spelled, keyed] {
            assert_ne!(rules_of_values(&other), named);
        }
        assert_eq!(rules_of_values(&atomic), named, "it makes the same values");
    }

    #[test]
    fn every_value_gives_a_short_text_without_nul() {
        let odd = value(r#"{"name":"\u0000\ud800"}"#, &["/name"]);
        assert_eq!(odd.as_deref(), Some(r#"["\u0000\ud800"]"#));
        let long = |letter: &str| {
            value(&format!(r#"{{"name":"{}"}}"#, letter.repeat(100_000)), &["/name"]).expect("it is there")
        };
        assert_eq!(long("a").len(), "sha256:".len() + 64);
        assert!(long("a").starts_with("sha256:"));
        assert_ne!(long("a"), long("b"));
    }
}
