//! Looking for what a create may have made: before it is tried again, the source is asked whether the copy is there.

use futures_util::future::join_all;
use slog::info;

use crate::domain::json::Json;
use crate::domain::key::ForeignKey;
use crate::domain::matching;
use crate::domain::name::SourceName;
use crate::domain::record::{Base, Known, Link, OpenOperation, OperationKind, OperationState, Reading};
use crate::log::key;
use crate::points::{self, Point};
use crate::store::StoreError;

use super::super::errand::{Search, Searched, Taken};
use super::super::source::visit;
use super::super::store::requests::look::ListUnlinked;
use super::{Look, Readings};

/// What the search for one copy came to.
enum Finding {
    /// It is there, under this key, and holds this.
    Copy { key: ForeignKey, document: Json },
    /// It was not there, twice.
    Absent,
    /// Several may be it: a person decides.
    Several,
    /// The source cannot tell now.
    Away(Reading),
}

impl Look {
    /// Searches for every copy whose create may have taken effect, at the sources that can be searched.
    ///
    /// What is absent is made ready to be created again in `known`; what cannot be told now is away in `taken`. Gives
    /// `true` if a copy was found and is on record now: then the look begins anew.
    pub(super) async fn search(&self, known: &mut Known, taken: &mut Readings) -> Result<bool, StoreError> {
        let wanted: Vec<(SourceName, OpenOperation)> = known
            .links
            .iter()
            .filter(|(name, _)| !taken.contains_key(*name) && self.can_search(name))
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
                Finding::Several => set_state(known, &source, OperationState::InDoubt),
                Finding::Away(reading) => drop(taken.insert(source, Taken::none(reading))),
            }
        }
        Ok(found)
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
            match <[_; 1]>::try_from(candidates) {
                Ok([(key, document)]) => return Ok(Finding::Copy { key, document }),
                Err(several) if !several.is_empty() => return Ok(Finding::Several),
                // Once is no evidence: what was made a moment ago may not show yet.
                Err(_) if sighting == 1 => tokio::time::sleep(self.desk.retry.first).await,
                Err(_) => {}
            }
        }
        Ok(Finding::Absent)
    }

    /// Lists the unlinked copies that may be what `open` has made, with their documents.
    async fn candidates(
        &self,
        known: &Known,
        source: &SourceName,
        open: &OpenOperation,
    ) -> Result<Result<Vec<(ForeignKey, Json)>, Reading>, StoreError> {
        let (Some(actor), Some(document)) = (self.desk.sources.get(source), open.document.clone()) else {
            return Ok(Ok(Vec::new()));
        };
        let search = Search { record: known.record.id, operation: open.id, document: document.clone() };
        let searched = visit(actor, search).await;
        points::pass(Point::Searched);
        let (keys, equal) = match searched {
            Searched::Found(keys) => (keys, true),
            Searched::Listed(keys) => (keys, false),
            Searched::Failed(reading) => return Ok(Err(reading)),
        };
        let entity = self.desk.entity.name.clone();
        let keys = self.desk.insist(ListUnlinked { entity, source: source.clone(), keys }).await?;
        let readings = join_all(keys.iter().map(|key| self.read_one(source, key))).await;
        let mut candidates = Vec::new();
        for (key, taken) in keys.into_iter().zip(readings) {
            match taken.reading {
                Reading::Present(found) if equal || self.may_be(&document, &found) => candidates.push((key, found)),
                Reading::Present(_) | Reading::Missing => {}
                away @ (Reading::Unreachable(_) | Reading::Broken(_)) => return Ok(Err(away)),
            }
        }
        Ok(Ok(candidates))
    }

    /// Whether `found` is equal to what was sent in the `match` fields, or whole if there are none.
    fn may_be(&self, sent: &Json, found: &Json) -> bool {
        let rules = &self.desk.terms.rules;
        match matching::match_value(sent, rules) {
            Some(value) => matching::match_value(found, rules) == Some(value),
            None => sent == found,
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
        let base = if open.document.as_ref() == Some(document) { open.carries.clone() } else { Base::unknown() };
        info!(self.log, "copy found"; key::SOURCE => %source, key::FOREIGN_KEY => %key, key::OPERATION => %open.id.0);
        self.link_found(known.record.id, source, Link { base, ..link }, open.id, key, self.nothing_finished()).await
    }
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
