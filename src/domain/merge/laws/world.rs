//! A small world of sources that hold copies of one record, and a daemon that keeps them in step by the merge alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::domain::json::Json;
use crate::domain::merge::{Action, Answer, Copy, Decision, Outcome, Question, Stand, merge};
use crate::domain::name::SourceName;
use crate::domain::patch::put;
use crate::domain::pointer::Pointer;
use crate::domain::record::{Base, RecordState};
use crate::domain::rules::{Fields, Rules};

#[derive(Clone)]
pub(super) struct World {
    pub(super) rules: Rules,
    pub(super) state: RecordState,
    pub(super) agreed: Option<Json>,
    pub(super) sources: BTreeMap<SourceName, Source>,
}

#[derive(Clone)]
pub(super) struct Source {
    pub(super) fields: Fields,
    /// What is really there.
    pub(super) holds: Option<Json>,
    pub(super) link: Link,
    pub(super) base: Base,
    pub(super) last: Option<Json>,
    pub(super) up: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Linked,
    Unlinked,
    Detached,
}

/// What somebody, or fate, does.
#[derive(Clone)]
pub(super) enum Step {
    /// Lets this stand at a place of a source's copy, or nothing.
    Edit { source: usize, place: Pointer, value: Option<Json> },
    /// Removes a source's copy.
    Remove { source: usize },
    /// Takes a source down, or brings it up again.
    Toggle { source: usize },
    /// Looks at the record; the writes to these sources fail.
    Look { failing: BTreeSet<usize> },
    /// Decides one of the open conflicts, if there are any.
    Decide { conflict: usize, decision: Choice },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Choice {
    Take(usize),
    Absent,
    Keep,
    Value,
}

impl World {
    pub(super) fn name(&self, source: usize) -> SourceName {
        let names: Vec<&SourceName> = self.sources.keys().collect();
        names[source % names.len()].clone()
    }

    pub(super) fn stand(source: &Source) -> Stand<'_> {
        let base = &source.base;
        match (source.link, source.up, &source.holds) {
            (Link::Detached, _, _) => Stand::Detached,
            (Link::Unlinked, _, _) => Stand::Unlinked,
            (Link::Linked, false, _) => Stand::Unreachable { base, last: source.last.as_ref() },
            (Link::Linked, true, Some(current)) => Stand::Present { base, current },
            (Link::Linked, true, None) => Stand::Missing { base },
        }
    }

    pub(super) fn question(&self, decisions: BTreeMap<Pointer, Decision>) -> Question<'_> {
        Question {
            state: self.state,
            rules: &self.rules,
            agreed: self.agreed.as_ref(),
            copies: self.sources.iter().map(|(name, source)| (name.clone(), source.copy())).collect(),
            decisions,
            held: BTreeMap::new(),
        }
    }

    pub(super) fn ask(&self) -> Answer {
        merge(&self.question(BTreeMap::new()))
    }

    /// Somebody edits a copy; a source that has none makes one.
    pub(super) fn edit(&mut self, source: usize, place: &Pointer, value: Option<&Json>) {
        let name = self.name(source);
        let rules = self.rules.clone();
        if let Some(source) = self.sources.get_mut(&name)
            && source.link == Link::Linked
            && let Some(held) = source.holds.take()
        {
            source.holds = put(Some(held), place, value.cloned(), &rules);
        }
    }

    pub(super) fn remove(&mut self, source: usize) {
        let name = self.name(source);
        if let Some(source) = self.sources.get_mut(&name).filter(|source| source.link == Link::Linked) {
            source.holds = None;
        }
    }

    pub(super) fn toggle(&mut self, source: usize) {
        let name = self.name(source);
        if let Some(source) = self.sources.get_mut(&name) {
            source.up = !source.up;
        }
    }

    /// Carries an answer out: the writes to sources that are down, or in `failing`, fail.
    pub(super) fn carry_out(&mut self, answer: &Answer, failing: &BTreeSet<SourceName>) {
        self.state = answer.state;
        self.agreed.clone_from(&answer.agreed);
        let undecided = answer.conflicts.iter().any(|conflict| conflict.path.is_root());
        for (name, outcome) in &answer.copies {
            let contends = answer.conflicts.iter().flat_map(|conflict| &conflict.contenders);
            let contends = contends.into_iter().any(|contender| contender.sources.contains(name));
            if let Some(source) = self.sources.get_mut(name) {
                let fails = !source.up || failing.contains(name);
                source.carry_out(outcome, fails, contends, undecided);
            }
        }
    }

    /// Looks until nothing is left to be done, with every source up.
    pub(super) fn heal(&mut self) -> Answer {
        for source in self.sources.values_mut() {
            source.up = true;
        }
        let answer = self.ask();
        self.carry_out(&answer, &BTreeSet::new());
        let again = self.ask();
        self.carry_out(&again, &BTreeSet::new());
        again
    }
}

impl Source {
    /// Says whether a place is within the source's fields.
    pub(super) fn covers(&self, place: &Pointer) -> bool {
        self.fields.as_ref().is_none_or(|fields| fields.iter().any(|field| place.starts_with(field)))
    }

    fn copy(&self) -> Copy<'_> {
        Copy { fields: &self.fields, stand: World::stand(self) }
    }

    fn carry_out(&mut self, outcome: &Outcome, fails: bool, contends: bool, undecided: bool) {
        let present = self.up && self.holds.is_some();
        self.last = match (self.up, contends) {
            (true, true) => self.holds.clone(),
            (false, true) => self.last.take(),
            (true | false, false) => None,
        };
        if self.link == Link::Detached {
            return;
        }
        self.base = outcome.unwritten.clone();
        if self.link == Link::Linked && self.up && !present && !undecided {
            // It is known to be gone; what comes now is a new copy.
            self.link = Link::Unlinked;
            self.base = Base::default();
        }
        match (&outcome.action, fails) {
            (Action::Update(document) | Action::Create(document), false) => {
                self.holds = Some(document.clone());
                self.link = Link::Linked;
                self.base = outcome.written.clone();
            }
            (Action::Delete, false) => {
                self.holds = None;
                self.link = Link::Unlinked;
                self.base = Base::default();
            }
            (Action::Unlink, _) => {
                self.link = Link::Detached;
                self.base = Base::default();
            }
            (Action::Update(_) | Action::Create(_) | Action::Delete, true) | (Action::None | Action::Later, _) => {}
        }
    }
}

/// Shows a document, or that there is none.
pub(super) fn shown(document: Option<&Json>) -> String {
    document.map_or_else(|| "nothing".to_owned(), Json::to_string)
}

/// Shows an answer in a line for each copy.
pub(super) fn answered(answer: &Answer) -> String {
    let mut lines = format!("{:?}, agreed {}\n", answer.state, shown(answer.agreed.as_ref()));
    for (name, outcome) in &answer.copies {
        lines += &match &outcome.action {
            Action::Update(document) | Action::Create(document) => format!("  {name} is written {document}\n"),
            other => format!("  {name} {other:?}\n"),
        };
        lines += &format!("    {}\n    or else {}\n", based(&outcome.written), based(&outcome.unwritten));
    }
    for conflict in &answer.conflicts {
        let sides = conflict.contenders.iter().map(|side| format!("{:?} {}", side.sources, shown(side.value.as_ref())));
        let sides: Vec<String> = sides.collect();
        lines += &format!(
            "  {:?} at \"{}\", agreed {}: {}\n",
            conflict.kind,
            conflict.path,
            shown(conflict.agreed.as_ref()),
            sides.join(", ")
        );
    }
    for lost in &answer.overruled {
        lines += &format!("  overruled {} at \"{}\": {}\n", lost.source, lost.path, shown(lost.value.as_ref()));
    }
    for change in &answer.patch {
        lines += &format!("  {}\n", change.to_patch_entry());
    }
    lines
}

fn based(base: &Base) -> String {
    let places = |places: &[Pointer]| places.iter().map(|place| format!("\"{place}\"")).collect::<Vec<_>>().join(" ");
    let (shadow, ack) = (shown(base.shadow.as_ref()), shown(base.ack.as_ref()));
    format!("shadow {shadow}, ack {ack}, unknown [{}], owed [{}]", places(&base.unknown), places(&base.owed))
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}, {:?}", self.rules.merge_policy, self.rules.on_delete)?;
        for (place, rule) in &self.rules.fields {
            writeln!(f, "  {place}: {:?} {:?} {}", rule.merge_policy, rule.equal, rule.atomic)?;
        }
        writeln!(f, "  {:?}", self.rules.arrays)?;
        writeln!(f, "  {:?}, agreed {}", self.state, shown(self.agreed.as_ref()))?;
        for (name, source) in &self.sources {
            let up = if source.up { "" } else { " (down)" };
            let fields: Option<Vec<String>> =
                source.fields.as_ref().map(|fields| fields.iter().map(Pointer::to_string).collect());
            writeln!(f, "  {name}{up} {:?} holds {}, fields {fields:?}", source.link, shown(source.holds.as_ref()))?;
            writeln!(f, "    {}, last {}", based(&source.base), shown(source.last.as_ref()))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edit { source, place, value } => write!(f, "edit {source} at {place}: {}", shown(value.as_ref())),
            Self::Remove { source } => write!(f, "remove {source}"),
            Self::Toggle { source } => write!(f, "toggle {source}"),
            Self::Look { failing } => write!(f, "look, failing {failing:?}"),
            Self::Decide { conflict, decision } => write!(f, "decide {conflict}: {decision:?}"),
        }
    }
}
