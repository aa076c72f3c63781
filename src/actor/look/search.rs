//! Looking for what a create may have made: before it is tried again, the source is asked whether the copy is there.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use slog::info;

use crate::domain::json::Json;
use crate::domain::key::ForeignKey;
use crate::domain::matching;
use crate::domain::name::SourceName;
use crate::domain::record::{Base, Known, Link, OpenOperation, OperationKind, OperationState, Reading, RecordState};
use crate::log::key;
use crate::points::{self, Point};
use crate::store::StoreError;

use super::super::errand::{Search, Searched, Taken};
use super::super::source::visit;
use super::super::store::requests::look::{ListUnlinked, Unlinked};
use super::introduce::Found;
use super::{Look, Readings};

/// How many keys that notifications tell of are read at most, in a search for one copy.
const MOST_TOLD: u32 = 10;

/// What the search for one copy came to.
enum Finding {
    /// It is there, under this key, and holds this.
    Copy { key: ForeignKey, document: Json },
    /// It was not there, twice.
    Absent,
    /// Several may be it, or one that may have been changed since: a person decides.
    Uncertain,
    /// The source cannot tell now.
    Away(Reading),
}

impl Look {
    /// Searches for every copy whose create may have taken effect, at the sources that can be searched. Where it may be repeated,
    /// that tells more than a search, which need not know a copy again that was edited since.
    ///
    /// What is absent is made ready to be created again in `known`; what cannot be told now is away in `taken`. Gives
    /// `true` if a copy was found and is on record now: then the look begins anew.
    pub(super) async fn search(&self, known: &mut Known, taken: &mut Readings) -> Result<bool, StoreError> {
        let wanted: Vec<(SourceName, OpenOperation)> = known
            .links
            .iter()
            .filter(|(name, _)| !taken.contains_key(*name) && self.can_search(name) && !self.repeats(known, name))
            .filter_map(|(name, link)| Some((name.clone(), link.open.clone().filter(may_be_there)?)))
            .collect();
        let mut found = false;
        for (source, open) in wanted {
            match self.find(known, &source, &open).await? {
                Finding::Copy { key, document } => {
                    self.enter(known, source, open, key, &document).await?;
                    found = true;
                }
                Finding::Absent => set_state(known, &source, OperationState::Open),
                Finding::Uncertain => set_state(known, &source, OperationState::InDoubt),
                Finding::Away(reading) => drop(taken.insert(source, Taken::none(reading))),
            }
        }
        Ok(found)
    }

    /// Names the sources at which it is found out first what a create of unknown end has made.
    pub(super) fn sought(&self, known: &Known) -> BTreeSet<SourceName> {
        let is_sought = |name: &SourceName, open: &OpenOperation| {
            may_be_there(open) && self.can_search(name) && !self.repeats(known, name)
        };
        let sought =
            known.links.iter().filter(|(name, link)| link.open.as_ref().is_some_and(|open| is_sought(name, open)));
        sought.map(|(name, _)| name.clone()).collect()
    }

    /// Whether a create at the source that may have taken effect is repeated.
    fn repeats(&self, known: &Known, source: &SourceName) -> bool {
        self.is_repeatable(source) && known.record.state == RecordState::Live
    }

    /// Whether the source makes nothing anew when a create is repeated under its own id.
    pub(super) fn is_repeatable(&self, source: &SourceName) -> bool {
        self.desk.terms.sources.get(source).is_some_and(|traits| traits.create_is_idempotent)
    }

    /// Whether the source has a program that finds or lists its items.
    pub(super) fn can_search(&self, source: &SourceName) -> bool {
        let commands = self.desk.entity.sources.get(source).map(|source| &source.commands);
        commands.is_some_and(|commands| commands.find.is_some() || commands.list.is_some())
    }

    async fn find(&self, known: &Known, source: &SourceName, open: &OpenOperation) -> Result<Finding, StoreError> {
        for sighting in 1..=2 {
            let candidates = match self.candidates(known, source, open).await? {
                Ok(candidates) => candidates,
                Err(reading) => return Ok(Finding::Away(reading)),
            };
            match (<[_; 1]>::try_from(candidates.equal), candidates.possible) {
                (Ok([(key, document)]), _) => return Ok(Finding::Copy { key, document }),
                (Err(equal), possible) if possible || !equal.is_empty() => return Ok(Finding::Uncertain),
                // Once is no evidence: what was made a moment ago may not show yet.
                (Err(_), _) if sighting == 1 => tokio::time::sleep(self.desk.retry.first).await,
                (Err(_), _) => {}
            }
        }
        Ok(Finding::Absent)
    }

    /// Lists the unlinked copies that may be what `open` has made.
    async fn candidates(
        &self,
        known: &Known,
        source: &SourceName,
        open: &OpenOperation,
    ) -> Result<Result<Candidates, Reading>, StoreError> {
        let mut candidates = Candidates::default();
        let (Some(actor), Some(document)) = (self.desk.sources.get(source), open.document.clone()) else {
            return Ok(Ok(candidates));
        };
        let search = Search { record: known.record.id, operation: open.id, document: document.clone() };
        let searched = visit(actor, search).await;
        points::pass(Point::Searched);
        let (keys, equal) = match searched {
            Searched::Found(keys) => (keys.clone(), keys),
            Searched::Listed(keys) => (keys, Vec::new()),
            Searched::Failed(reading) => return Ok(Err(reading)),
        };
        let (entity, source_name, operation) = (self.desk.entity.name.clone(), source.clone(), open.id);
        // One that compares whole documents does not find a copy that was edited since; whoever edited it may have told of it.
        let most_told = if self.desk.terms.rules.matching.is_empty() { MOST_TOLD } else { 0 };
        let request = ListUnlinked { entity, source: source_name, keys: keys.clone(), most_told, operation };
        let unlinked = self.desk.insist(request).await?;
        let told = unlinked.iter().filter(|unlinked| !keys.contains(&unlinked.key)).count();
        // Of more of them than are read, any may be it.
        candidates.possible = told >= MOST_TOLD as usize;
        let readings = join_all(unlinked.iter().map(|unlinked| self.read_one(source, &unlinked.key))).await;
        for (Unlinked { key, is_older }, taken) in unlinked.into_iter().zip(readings) {
            let found = match taken.reading {
                Reading::Present(found) => found,
                Reading::Missing => continue,
                away @ (Reading::Unreachable(_) | Reading::Broken(_)) => return Ok(Err(away)),
            };
            match self.likeness(source, &document, &found) {
                Likeness::Same | Likeness::Matching => candidates.equal.push((key, found)),
                Likeness::Possible | Likeness::Other if equal.contains(&key) => candidates.equal.push((key, found)),
                Likeness::Possible => candidates.possible |= !is_older,
                Likeness::Other => {}
            }
        }
        Ok(Ok(candidates))
    }

    /// Compares a copy that was found with what a write has sent.
    pub(super) fn likeness(&self, source: &SourceName, sent: &Json, found: &Json) -> Likeness {
        let rules = &self.desk.terms.rules;
        let whole = None;
        let fields = self.desk.terms.sources.get(source).map_or(&whole, |traits| &traits.fields);
        if matching::is_what_was_sent(sent, found, fields, rules) {
            return Likeness::Same;
        }
        match (matching::match_value(sent, rules), matching::match_value(found, rules)) {
            (Some(sent), Some(found)) if sent == found => Likeness::Matching,
            (Some(_), Some(_)) => Likeness::Other,
            (_, None) | (None, _) => Likeness::Possible,
        }
    }

    /// The base of a copy that was found, of which `open` is taken to be the write that made it what it is.
    ///
    /// Holding anything else than a create sent, it may have been made by somebody else: where it differs, what it says is weighed
    /// like a new copy's, and not like an edit by somebody who had seen what is agreed. Where it holds what was sent, it says
    /// nothing: that must not count as news against what was agreed since. A copy that was updated is the one that we knew: it was
    /// edited since, unless it holds what it did before.
    pub(super) fn adopted(&self, source: &SourceName, link: &Link, open: &OpenOperation, found: &Json) -> Base {
        let is = |held: &Json| self.likeness(source, held, found) == Likeness::Same;
        match (open.kind, &open.document) {
            (_, Some(sent)) if is(sent) => open.carries.clone(),
            (OperationKind::Update, _) if link.base.shadow.as_ref().is_some_and(is) => link.base.clone(),
            // Whoever edited it may not have seen what the update was to bring.
            (OperationKind::Update, _) => {
                Base { ack: link.base.ack.clone(), owed: link.base.owed.clone(), ..open.carries.clone() }
            }
            (OperationKind::Create, Some(_)) => Base { ack: None, ..open.carries.clone() },
            (OperationKind::Create | OperationKind::Delete, _) => Base::unknown(),
        }
    }

    async fn enter(
        &self,
        known: &Known,
        source: SourceName,
        open: OpenOperation,
        key: ForeignKey,
        document: &Json,
    ) -> Result<(), StoreError> {
        let Some(link) = known.links.get(&source).cloned() else { return Ok(()) };
        let base = self.adopted(&source, &link, &open, document);
        info!(self.log, "copy found"; key::SOURCE => %source, key::FOREIGN_KEY => %key, key::OPERATION => %open.id.0);
        let found = Found { source, key, operation: open.id, link: Link { base, ..link } };
        self.link_found(known.record.id, found, Vec::new(), self.nothing_finished()).await
    }
}

/// What a create may have made.
#[derive(Default)]
struct Candidates {
    /// What is equal to what it sent in the `match` fields, or whole if there are none.
    equal: Vec<(ForeignKey, Json)>,
    /// Whether there is anything else that it may have made, and somebody may have changed since.
    possible: bool,
}

/// How a copy stands to what a write has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// It is that, within the source's fields.
    Same,
    /// It is the same item by `match`, and holds something else.
    Matching,
    /// Nothing tells them apart.
    Possible,
    /// Another item by `match`.
    Other,
}

/// Whether a create has left a copy that nobody knows the key of, perhaps.
fn may_be_there(open: &OpenOperation) -> bool {
    open.kind == OperationKind::Create && open.may_have_taken_effect
}

fn set_state(known: &mut Known, source: &SourceName, state: OperationState) {
    if let Some(open) = known.links.get_mut(source).and_then(|link| link.open.as_mut()) {
        open.state = state;
    }
}
