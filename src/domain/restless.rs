//! Restlessness: places at which sources undo each other for ever, such as two that disagree on the spelling of a value.
//!
//! Found from what a look is about to record and what was recorded lately. What a source says at a place is its *word*: a
//! change that was accepted from it, or a value that was overruled. A word is *answered* by a change that another source
//! makes there, or by being overruled. A source *insists* where its word is answered and it says the same again; nobody who
//! sets a value to and fro in one system insists. Sources that never say the same twice and yet always answer each other,
//! such as two that note when they were written last, are found by how long that has gone on.
//!
//! What a person has decided or taken back about a place begins the count there anew. docs/merging.md says the rest.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use caseless::default_case_fold_str;
use unicode_normalization::UnicodeNormalization;

use super::json::{Json, Object};
use super::merge::{Change, Overruled};
use super::name::SourceName;
use super::patch;
use super::plan::Plan;
use super::pointer::Pointer;
use super::rules::{ArrayRule, Rules};
use super::spelling::Place;
use super::text::Text;

/// How often sources may insist on what they say at a place, all of them together.
const INSISTENCES: usize = 4;
/// How often sources may answer each other at a place without a pause, whatever they say.
const ANSWERS: usize = 32;
/// The time in which that counts.
const SPAN: Duration = Duration::from_secs(3600);
/// The time in which insisting counts where the values differ only in how they are written, as nightly jobs leave them.
const SPAN_OF_SPELLINGS: Duration = Duration::from_secs(7 * 24 * 3600);
/// The first version of a record that can be one too many: its birth and a first word come before.
const FIRST_VERSION: i64 = 6;

/// A version that was recorded lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent {
    /// How long ago, by the database's clock.
    pub age: Duration,
    pub cause: Json,
    pub changes: Vec<Change>,
    pub overruled: Vec<Overruled>,
}

impl Recent {
    /// For how long a version can count.
    pub const SPAN: Duration = SPAN_OF_SPELLINGS;
    /// The number of versions about a place that suffice.
    pub const ENOUGH: usize = 2 * ANSWERS;
}

/// Returns the places of which the recent versions must be known before this is recorded; mostly there are none.
pub fn suspects(plan: &Plan) -> BTreeSet<&Pointer> {
    if plan.record.version < FIRST_VERSION || !is_of_sources(&plan.cause) {
        return BTreeSet::new();
    }
    let changed = plan.changes.iter().filter(|change| !change.sources.is_empty()).map(|change| &change.path);
    changed.chain(plan.overruled.iter().map(|lost| &lost.path)).collect()
}

/// Returns the places at which sources undo each other, of those that this plan is about to change; `recent` are the latest
/// versions about the [`suspects`], the oldest first.
pub fn fights(plan: &Plan, recent: &[Recent], rules: &Rules) -> BTreeSet<Pointer> {
    let mut story = Story { words: Vec::new(), rules };
    for (turn, version) in recent.iter().enumerate() {
        let turn = Turn { number: turn, age: version.age, of_sources: is_of_sources(&version.cause) };
        story.add(turn, &version.overruled, &version.changes);
    }
    let now = Turn { number: recent.len(), age: Duration::ZERO, of_sources: true };
    story.add(now, &plan.overruled, &plan.changes);
    let standing = |place: &Pointer| patch::find(plan.record.agreed.as_ref()?, place, rules);
    let is_fought_over = |place: &&Pointer| story.about(place).is_fight(now, standing(place));
    suspects(plan).into_iter().filter(is_fought_over).cloned().collect()
}

/// Says whether a version is what sources said, and not a person.
fn is_of_sources(cause: &Json) -> bool {
    cause.member("kind") == Some(&Json::from("sync"))
}

/// All that was said, the oldest first.
struct Story<'a> {
    words: Vec<Word<'a>>,
    rules: &'a Rules,
}

/// A value in the form that all spellings share that count as the same.
type Form<'a> = Cow<'a, Json>;

/// A version in which something was said.
#[derive(Debug, Clone, Copy)]
struct Turn {
    /// Counts the versions.
    number: usize,
    age: Duration,
    of_sources: bool,
}

/// What sources said at a place; of a set, what they said of one element.
#[derive(Debug, Clone)]
struct Word<'a> {
    turn: Turn,
    path: &'a Pointer,
    element: Option<Form<'a>>,
    said: Option<Form<'a>>,
    sources: Vec<&'a SourceName>,
    end: End<'a>,
}

/// What became of a word.
#[derive(Debug, Clone, Copy)]
enum End<'a> {
    Accepted(&'a Change),
    Overruled,
}

impl<'a> Story<'a> {
    /// Adds what was said in one turn; what was overruled in it comes before what was accepted.
    fn add(&mut self, turn: Turn, overruled: &'a [Overruled], changes: &'a [Change]) {
        for Overruled { path, source, value } in overruled {
            let said = value.as_ref().map(|value| Place::at(path, self.rules).canonical(value));
            self.words.push(Word { turn, path, element: None, said, sources: vec![source], end: End::Overruled });
        }
        for change in changes {
            let sources: Vec<&SourceName> = change.sources.iter().collect();
            let word = |(element, said)| Word {
                turn,
                path: &change.path,
                element,
                said,
                sources: sources.clone(),
                end: End::Accepted(change),
            };
            self.words.extend(said(change, self.rules).into_iter().map(word));
        }
    }

    /// Returns what was said about a place since a person last spoke of it.
    fn about<'s>(&'s self, place: &'s Pointer) -> Account<'s, 'a> {
        let mut words: Vec<&Word<'a>> = self.words.iter().filter(|word| word.path.touches(place)).collect();
        if let Some(person) = words.iter().rposition(|word| !word.turn.of_sources) {
            words.drain(..=person);
        }
        Account { place, words }
    }
}

/// Returns what a change says: one thing, or of a set one thing of each element that came or went.
fn said<'a>(change: &'a Change, rules: &'a Rules) -> Vec<(Option<Form<'a>>, Option<Form<'a>>)> {
    let place = Place::at(&change.path, rules);
    let is_set = place.array_rule() == Some(&ArrayRule::Set);
    let elements = |value: &'a Option<Json>| {
        let elements = value.as_ref().filter(|_| is_set).map_or(Some(&[][..]), Json::as_array)?;
        Some(elements.iter().map(|element| place.element().canonical(element)).collect::<BTreeSet<_>>())
    };
    match (elements(&change.before), elements(&change.after)) {
        (Some(before), Some(after)) if is_set => before
            .symmetric_difference(&after)
            .map(|element| (Some(element.clone()), after.get(element).cloned()))
            .collect(),
        _ => vec![(None, change.after.as_ref().map(|value| place.canonical(value)))],
    }
}

/// What was said about one place, there, above and below, the oldest first.
struct Account<'s, 'a> {
    place: &'s Pointer,
    words: Vec<&'s Word<'a>>,
}

impl<'a> Account<'_, 'a> {
    /// Says whether what is said here now, over what is `standing`, is another move in a fight.
    fn is_fight(&self, now: Turn, standing: Option<&Json>) -> bool {
        let insisting: Vec<&Word<'a>> =
            self.words.iter().enumerate().filter(|(at, _)| self.insists(*at)).map(|(_, word)| *word).collect();
        let turns = |span| {
            let recent = insisting.iter().filter(|word| word.turn.age <= span);
            recent.map(|word| word.turn.number).collect::<BTreeSet<_>>().len()
        };
        let mut anew =
            insisting.iter().filter(|word| word.turn.number == now.number && word.path == self.place).peekable();
        let insists_too_often = anew.peek().is_some()
            && (turns(SPAN) >= INSISTENCES
                || turns(SPAN_OF_SPELLINGS) >= INSISTENCES && anew.any(|word| word.only_spells(standing)));
        insists_too_often || self.answers() >= ANSWERS
    }

    /// Says whether a source says again what it said before and what was answered.
    fn insists(&self, at: usize) -> bool {
        let word = self.words[at];
        word.sources.iter().any(|source| {
            let is_before = |earlier: &&Word<'a>| earlier.is_at(word) && earlier.sources.contains(source);
            let Some(before) = self.words[..at].iter().rposition(is_before) else { return false };
            let is_answer = |between: &&Word<'a>| between.changes(word) && !between.sources.contains(source);
            let earlier = self.words[before];
            earlier.said == word.said && (earlier.is_overruled() || self.words[before + 1..at].iter().any(is_answer))
        })
    }

    /// Returns how often in a row, up to now, something was said here that was answered by what was said next.
    fn answers(&self) -> usize {
        let mut here: Vec<&Word<'a>> =
            self.words.iter().filter(|word| word.path == self.place && word.turn.age <= SPAN).copied().collect();
        // What is said of several elements of a set is one thing said.
        here.dedup_by(|next, last| next.turn.number == last.turn.number && next.sources == last.sources);
        let is_answered = |pair: &&[&Word<'a>]| {
            pair[0].is_overruled() || !pair[1].sources.iter().any(|source| pair[0].sources.contains(source))
        };
        here.windows(2).rev().take_while(is_answered).count()
    }
}

impl Word<'_> {
    fn is_overruled(&self) -> bool {
        matches!(self.end, End::Overruled)
    }

    /// Says whether the other word is about the very same place.
    fn is_at(&self, other: &Self) -> bool {
        self.path == other.path && self.element == other.element
    }

    /// Says whether this word, which was said at the place of the other or above or below it, changed what stood there.
    fn changes(&self, other: &Self) -> bool {
        let is_other_element = self.path == other.path && self.element.is_some() && self.element != other.element;
        !is_other_element && !self.is_overruled()
    }

    /// Says whether what is said differs from what stood there only in how it is written.
    fn only_spells(&self, standing: Option<&Json>) -> bool {
        match self.end {
            End::Accepted(change) => is_respelled(change.before.as_ref(), change.after.as_ref()),
            End::Overruled => is_respelled(self.said.as_deref(), standing),
        }
    }
}

/// Says whether two values, or their absence, differ in nothing but the way of writing them.
pub(super) fn is_respelled(a: Option<&Json>, b: Option<&Json>) -> bool {
    bare(a) == bare(b)
}

/// Returns what is left of a value without the things that are only a matter of writing it: letters and digits, without
/// regard to case and to the order of elements. Of nothing, `null` and what is empty nothing is left.
fn bare(value: Option<&Json>) -> Option<Json> {
    match value? {
        Json::Null => None,
        Json::Bool(_) | Json::Number(_) => value.cloned(),
        Json::String(text) => bare_text(text).map(Json::String),
        Json::Array(elements) => {
            let mut bared: Vec<Json> = elements.iter().filter_map(|element| bare(Some(element))).collect();
            bared.sort();
            (!bared.is_empty()).then_some(Json::from(bared))
        }
        Json::Object(members) => {
            let bared = members.iter().filter_map(|(name, value)| Some((name.clone(), bare(Some(value))?)));
            Some(bared.collect()).filter(|bared: &Object| !bared.is_empty()).map(Json::Object)
        }
    }
}

fn bare_text(text: &Text) -> Option<Text> {
    let folded = default_case_fold_str(&text.to_string_lossy().nfkd().collect::<String>());
    let bared: String = folded.chars().filter(|letter| letter.is_alphanumeric()).collect();
    (!bared.is_empty()).then(|| Text::from(bared.as_str()))
}

#[cfg(test)]
mod tests;
