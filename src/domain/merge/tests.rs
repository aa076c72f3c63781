//! What the form of `retcon merge` does not show: decisions, held places, and bases.

mod bases;
mod decisions;
mod stored;

use std::collections::BTreeMap;

use crate::domain::json::Json;
use crate::domain::name::SourceName;
use crate::domain::pointer::Pointer;
use crate::domain::record::{Base, RecordState};
use crate::domain::rules::{ArrayRule, FieldRule, Fields, MergePolicy, Rules};

use super::{Action, Answer, ConflictKind, Copy, Decision, Question, Stand, merge};

/// A question under construction: what one test says of a record and its copies.
struct Case {
    state: RecordState,
    rules: Rules,
    agreed: Option<Json>,
    copies: Vec<(SourceName, Known)>,
    decisions: BTreeMap<Pointer, Decision>,
    held: BTreeMap<Pointer, ConflictKind>,
}

struct Known {
    fields: Fields,
    base: Base,
    found: Found,
}

enum Found {
    Current(Json),
    Away { last: Option<Json> },
    Missing,
    Unlinked,
}

fn json(text: &str) -> Json {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn pointer(text: &str) -> Pointer {
    text.parse().expect("a pointer")
}

fn source(name: &str) -> SourceName {
    name.parse().expect("a name")
}

fn shown(value: Option<&Json>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Json::to_string)
}

/// A record of which this is agreed.
fn live(agreed: &str) -> Case {
    Case { agreed: Some(json(agreed)), ..new() }
}

/// A record of which nothing is agreed.
fn new() -> Case {
    Case {
        state: RecordState::Live,
        rules: Rules::default(),
        agreed: None,
        copies: Vec::new(),
        decisions: BTreeMap::new(),
        held: BTreeMap::new(),
    }
}

impl Case {
    fn add(mut self, name: &str, found: Found) -> Self {
        let base = match (&found, &self.agreed) {
            (Found::Unlinked, _) | (_, None) => Base::default(),
            (Found::Current(_) | Found::Away { .. } | Found::Missing, Some(agreed)) => {
                Base { shadow: Some(agreed.clone()), ack: Some(agreed.clone()), ..Base::default() }
            }
        };
        self.copies.push((source(name), Known { fields: None, base, found }));
        self
    }

    /// A copy in which this was found.
    fn copy(self, name: &str, current: &str) -> Self {
        self.add(name, Found::Current(json(current)))
    }

    fn missing(self, name: &str) -> Self {
        self.add(name, Found::Missing)
    }

    fn unlinked(self, name: &str) -> Self {
        self.add(name, Found::Unlinked)
    }

    fn away(self, name: &str, last: Option<&str>) -> Self {
        self.add(name, Found::Away { last: last.map(json) })
    }

    /// Sets the base of the copy that was added last.
    fn over(mut self, shadow: &str, ack: &str) -> Self {
        let (_, known) = self.copies.last_mut().expect("a copy was added");
        known.base = Base { shadow: Some(json(shadow)), ack: Some(json(ack)), ..Base::default() };
        self
    }

    fn owed(mut self, place: &str) -> Self {
        self.copies.last_mut().expect("a copy was added").1.base.owed.push(pointer(place));
        self
    }

    fn unknown(mut self, place: &str) -> Self {
        self.copies.last_mut().expect("a copy was added").1.base.unknown.push(pointer(place));
        self
    }

    fn fields(mut self, places: &[&str]) -> Self {
        let places = places.iter().map(|place| pointer(place)).collect();
        self.copies.last_mut().expect("a copy was added").1.fields = Some(places);
        self
    }

    fn deleted(mut self) -> Self {
        self.state = RecordState::Deleted;
        self
    }

    fn policy(mut self, policy: &str) -> Self {
        self.rules.merge_policy = policy.parse().expect("a policy");
        self
    }

    fn policy_at(mut self, place: &str, policy: &str) -> Self {
        let policy: MergePolicy = policy.parse().expect("a policy");
        self.rules.fields.insert(pointer(place), FieldRule { merge_policy: Some(policy), ..FieldRule::default() });
        self
    }

    fn array(mut self, place: &str, rule: ArrayRule) -> Self {
        self.rules.arrays.insert(pointer(place), rule);
        self
    }

    fn decide(mut self, place: &str, decision: Decision) -> Self {
        self.decisions.insert(pointer(place), decision);
        self
    }

    fn hold(mut self, place: &str, kind: ConflictKind) -> Self {
        self.held.insert(pointer(place), kind);
        self
    }

    fn ask(&self) -> Answer {
        let copies = self.copies.iter().map(|(name, known)| (name.clone(), known.copy()));
        merge(&Question {
            state: self.state,
            rules: &self.rules,
            agreed: self.agreed.as_ref(),
            copies: copies.collect(),
            decisions: self.decisions.clone(),
            held: self.held.clone(),
        })
    }
}

impl Known {
    fn copy(&self) -> Copy<'_> {
        let base = &self.base;
        let stand = match &self.found {
            Found::Current(current) => Stand::Present { base, current },
            Found::Away { last } => Stand::Unreachable { base, last: last.as_ref() },
            Found::Missing => Stand::Missing { base },
            Found::Unlinked => Stand::Unlinked,
        };
        Copy { fields: &self.fields, stand }
    }
}

/// Shows what is done at a source.
fn action(answer: &Answer, name: &str) -> String {
    match &answer.copies[&source(name)].action {
        Action::None => "none".to_owned(),
        Action::Update(document) => format!("update {document}"),
        Action::Create(document) => format!("create {document}"),
        Action::Delete => "delete".to_owned(),
        Action::Unlink => "unlink".to_owned(),
        Action::Later => "later".to_owned(),
    }
}

/// Shows the conflicts, each as `kind path: value of sources, ...`.
fn conflicts(answer: &Answer) -> Vec<String> {
    let conflict = |conflict: &super::Conflict| {
        let side = |side: &super::Contender| {
            let names: Vec<&str> = side.sources.iter().map(SourceName::as_str).collect();
            format!("{} of {}", shown(side.value.as_ref()), names.join("+"))
        };
        let sides: Vec<String> = conflict.contenders.iter().map(side).collect();
        format!("{:?} \"{}\": {}", conflict.kind, conflict.path, sides.join(", "))
    };
    answer.conflicts.iter().map(conflict).collect()
}

/// Shows what was overruled, each as `path source value`.
fn overruled(answer: &Answer) -> Vec<String> {
    answer
        .overruled
        .iter()
        .map(|lost| format!("\"{}\" {} {}", lost.path, lost.source, shown(lost.value.as_ref())))
        .collect()
}

/// Shows the changes, each as `path before -> after by sources`.
fn patch(answer: &Answer) -> Vec<String> {
    let change = |change: &super::Change| {
        let names: Vec<&str> = change.sources.iter().map(SourceName::as_str).collect();
        format!(
            "\"{}\" {} -> {} by {}",
            change.path,
            shown(change.before.as_ref()),
            shown(change.after.as_ref()),
            names.join("+")
        )
    };
    answer.patch.iter().map(change).collect()
}

fn decided(answer: &Answer) -> Vec<String> {
    answer.decided.iter().map(Pointer::to_string).collect()
}
