//! What a person has chosen of the conflicts of a record, as a form carries it from page to page: nothing is remembered elsewhere.

use std::collections::BTreeMap;

use crate::actor::store::requests::queue::Choice;
use crate::api::pages::form::Form;
use crate::domain::json::Json;
use crate::domain::merge::{Contender, Decision};
use crate::domain::name::SourceName;

/// So much is carried of what contended, in bytes; of more it is only told that it moved.
const CARRIED: usize = 8_000;

/// What was chosen, by conflict.
#[derive(Debug, Clone, Default)]
pub(super) struct Choices(pub(super) BTreeMap<i64, Given>);

/// What a form says of one conflict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// As it stood when the form was shown.
    pub(super) revision: i64,
    pub(super) picked: Option<Picked>,
    /// What was typed, whether it was picked or not.
    pub(super) typed: String,
    pub(super) as_text: bool,
    /// What contended when the form was shown; `None`: it is not carried.
    pub(super) seen: Option<Vec<Seen>>,
}

/// One side of a conflict, as it was shown.
pub(super) type Seen = (Vec<String>, Option<Json>);

/// Which of the options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Picked {
    Take(SourceName),
    Keep,
    Absent,
    Typed,
}

impl Picked {
    fn parse(text: &str) -> Option<Self> {
        match (text, text.split_once(':')) {
            ("keep", _) => Some(Self::Keep),
            ("absent", _) => Some(Self::Absent),
            ("typed", _) => Some(Self::Typed),
            (_, Some(("take", name))) => name.parse().ok().map(Self::Take),
            (_, Some(_) | None) => None,
        }
    }

    /// As the form has it.
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Take(source) => format!("take:{source}"),
            Self::Keep => "keep".to_owned(),
            Self::Absent => "absent".to_owned(),
            Self::Typed => "typed".to_owned(),
        }
    }
}

impl Choices {
    /// Reads the fields `pick-3`, `revision-3`, `typed-3`, `as-3` and `seen-3` of each conflict.
    pub(super) fn read(form: &Form) -> Self {
        let mut all: BTreeMap<i64, Given> = BTreeMap::new();
        for (name, value) in form.fields() {
            let Some((what, number)) = name.split_once('-') else { continue };
            let Some(conflict) = number.parse::<i64>().ok() else { continue };
            let given = all.entry(conflict).or_default();
            match what {
                "pick" => given.picked = Picked::parse(value),
                "revision" => given.revision = value.parse().unwrap_or_default(),
                "typed" => given.typed = value.replace("\r\n", "\n"),
                "as" => given.as_text = value == "text",
                "seen" => given.seen = read_seen(value),
                _ => {}
            }
        }
        Self(all)
    }

    /// The word on each conflict of which something was picked; what is wrong with the others, by conflict.
    pub(super) fn decisions(&self) -> Result<Vec<Choice>, BTreeMap<i64, String>> {
        let (mut choices, mut errors) = (Vec::new(), BTreeMap::new());
        for (conflict, given) in &self.0 {
            let Some(picked) = &given.picked else { continue };
            let decision = match picked {
                Picked::Take(source) => Ok(Decision::Take(source.clone())),
                Picked::Keep => Ok(Decision::Keep),
                Picked::Absent => Ok(Decision::Absent),
                Picked::Typed => typed(given).map(Decision::Value),
            };
            match decision {
                Ok(decision) => choices.push(Choice { conflict: *conflict, revision: given.revision, decision }),
                Err(why) => drop(errors.insert(*conflict, why)),
            }
        }
        if errors.is_empty() { Ok(choices) } else { Err(errors) }
    }

    pub(super) fn of(&self, conflict: i64) -> Option<&Given> {
        self.0.get(&conflict)
    }

    /// The fields that carry it through a page on which nothing is chosen.
    pub(super) fn hidden(&self) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        for (conflict, given) in &self.0 {
            let mut add = |what: &str, value: String| fields.push((format!("{what}-{conflict}"), value));
            add("revision", given.revision.to_string());
            add("typed", given.typed.clone());
            add("as", if given.as_text { "text" } else { "json" }.to_owned());
            if let Some(picked) = &given.picked {
                add("pick", picked.to_text());
            }
            if let Some(seen) = &given.seen {
                add("seen", write_seen(seen));
            }
        }
        fields
    }
}

/// Reads what was typed: text as it stands, or JSON.
fn typed(given: &Given) -> Result<Json, String> {
    if given.as_text {
        return Ok(Json::from(given.typed.as_str()));
    }
    if given.typed.trim().is_empty() {
        return Err("Nothing is typed here. For an empty text, type it as text.".to_owned());
    }
    Json::parse(given.typed.as_bytes()).map_err(|error| {
        format!("This is no JSON: {error}. A text stands in quotes, as in \"Ann\"; or choose that it is text.")
    })
}

/// What contends, as the form is to carry it.
pub(super) fn seen(contenders: &[Contender]) -> Option<Vec<Seen>> {
    let side =
        |contender: &Contender| (contender.sources.iter().map(ToString::to_string).collect(), contender.value.clone());
    let seen: Vec<Seen> = contenders.iter().map(side).collect();
    (write_seen(&seen).len() <= CARRIED).then_some(seen)
}

/// `[["crm"],1]` for each side, without the value where there is none.
pub(super) fn write_seen(seen: &[Seen]) -> String {
    let side = |(names, value): &Seen| {
        let names: Vec<Json> = names.iter().map(|name| Json::from(name.as_str())).collect();
        let parts: Vec<Json> = [Some(Json::from(names)), value.clone()].into_iter().flatten().collect();
        Json::from(parts)
    };
    Json::from(seen.iter().map(side).collect::<Vec<_>>()).to_string()
}

fn read_seen(text: &str) -> Option<Vec<Seen>> {
    let Json::Array(sides) = Json::parse(text.as_bytes()).ok()? else { return None };
    let side = |side: &Json| {
        let Json::Array(parts) = side else { return None };
        let Some(Json::Array(names)) = parts.first() else { return None };
        let name = |name: &Json| name.as_text().and_then(|text| text.as_str()).map(str::to_owned);
        Some((names.iter().map(name).collect::<Option<Vec<_>>>()?, parts.get(1).cloned()))
    };
    sides.iter().map(side).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(typed: &str, as_text: bool) -> Given {
        Given { revision: 2, picked: Some(Picked::Typed), typed: typed.to_owned(), as_text, seen: None }
    }

    #[track_caller]
    fn check(typed: &str, as_text: bool, expected: Option<&str>) {
        let choices = Choices(BTreeMap::from([(3, given(typed, as_text))]));
        match (choices.decisions(), expected) {
            (Ok(choices), Some(expected)) => {
                assert_eq!(choices[0].decision, Decision::Value(expected.parse().expect("JSON")), "{typed:?}");
            }
            (Err(errors), None) => assert!(errors.contains_key(&3), "{errors:?}"),
            (other, _) => panic!("{typed:?}: {other:?}"),
        }
    }

    #[test]
    fn what_is_typed_is_text_or_json_as_the_person_says() {
        check("Ann", true, Some("\"Ann\""));
        check("", true, Some("\"\""));
        check(" 1.50 ", false, Some("1.50"));
        check("{\"a\":[true]}", false, Some("{\"a\":[true]}"));
        check("Ann", false, None);
        check("  ", false, None);
        check("{\"a\":1,\"a\":2}", false, None);
    }

    #[test]
    fn what_is_carried_from_page_to_page_comes_back() {
        let sides = vec![(vec!["ad".to_owned(), "crm".to_owned()], Some("\"\\ud800\"".parse().expect("JSON")))];
        let absent = (vec!["hr".to_owned()], None);
        let seen: Vec<Seen> = sides.into_iter().chain([absent]).collect();
        assert_eq!(read_seen(&write_seen(&seen)), Some(seen));
        assert_eq!(read_seen("[[1]]"), None);
        for picked in [Picked::Keep, Picked::Absent, Picked::Typed, Picked::Take("crm".parse().expect("a name"))] {
            assert_eq!(Picked::parse(&picked.to_text()), Some(picked));
        }
        assert_eq!(Picked::parse("take:/"), None);
    }

    #[test]
    fn nothing_is_decided_of_what_nothing_was_picked_for() {
        let choices = Choices(BTreeMap::from([(3, Given { picked: None, ..given("x", true) })]));
        assert_eq!(choices.decisions(), Ok(Vec::new()));
    }
}
