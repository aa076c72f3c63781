//! A person's word on what is in doubt: the copy's key, or that there is no such copy.

use slog::info;

use crate::domain::json::Json;
use crate::domain::key::ForeignKey;
use crate::domain::name::SourceName;
use crate::domain::plan::Owed;
use crate::domain::record::{
    Base, DoubtId, Known, Link, LinkState, OpenOperation, OperationEnd, OperationState, Reading, Settlement,
};
use crate::log::key;
use crate::store::StoreError;

use super::super::messages::{Ordered, Unsettleable};
use super::super::store::requests::look::RecordResults;
use super::super::store::requests::queue::Order;
use super::super::store::requests::view::{DoubtRow, FindDoubt, FindHolder};
use super::Look;
use super::introduce::Found;
use super::search::Likeness;

/// What came of the person's word.
pub(super) enum Settling {
    /// There was none.
    Nothing,
    /// It is on record.
    Settled,
    Refused(Ordered),
    /// The source cannot be asked now.
    Later(SourceName, Owed),
}

/// A copy in doubt.
struct Doubt<'a> {
    row: DoubtRow,
    source: &'a SourceName,
    link: &'a Link,
    open: &'a OpenOperation,
}

impl Look {
    /// Settles what the person has ordered to be settled of this record.
    pub(super) async fn settle(&self, known: &Known) -> Result<Settling, StoreError> {
        let Some((_, Order::Settle { doubt, settlement })) = self.order() else { return Ok(Settling::Nothing) };
        let Some(doubt) = self.doubt(known, *doubt).await? else {
            return Ok(Settling::Refused(Ordered::Unsettleable(Unsettleable::Closed)));
        };
        match (settlement, doubt.link.state) {
            (Settlement::Key(key), _) => self.settle_key(known, &doubt, key).await,
            (Settlement::Absent, LinkState::Linked) => self.settle_gone(known, &doubt).await,
            (Settlement::Absent, LinkState::Unlinked | LinkState::Detached) => self.settle_never(known, &doubt).await,
        }
    }

    async fn doubt<'a>(&self, known: &'a Known, id: DoubtId) -> Result<Option<Doubt<'a>>, StoreError> {
        let Some(row) = self.desk.insist(FindDoubt { id }).await? else { return Ok(None) };
        let found = known.links.iter().find_map(|(source, link)| {
            let open = link.open.as_ref().filter(|open| open.id == row.operation)?;
            (open.state == OperationState::InDoubt).then_some((source, link, open))
        });
        Ok(found.map(|(source, link, open)| Doubt { row, source, link, open }))
    }

    /// The copy is there, under this key.
    async fn settle_key(&self, known: &Known, doubt: &Doubt<'_>, key: &ForeignKey) -> Result<Settling, StoreError> {
        let (entity, source) = (self.desk.entity.name.clone(), doubt.source.clone());
        let holder = self.desk.insist(FindHolder { entity, source: source.clone(), key: key.clone() }).await?;
        if let Some(record) = holder.filter(|holder| *holder != known.record.id) {
            return Ok(refused(Unsettleable::Taken { key: key.clone(), record }));
        }
        match self.seen(doubt, key).await {
            Ok(Some(document)) => {
                let base = self.adopted(&source, doubt.link, doubt.open, &document);
                self.link_settled(known, doubt, key, base).await?;
                Ok(Settling::Settled)
            }
            Ok(None) => Ok(refused(Unsettleable::NothingThere(key.clone()))),
            Err(owed) => Ok(Settling::Later(source, owed)),
        }
    }

    async fn link_settled(
        &self,
        known: &Known,
        doubt: &Doubt<'_>,
        key: &ForeignKey,
        base: Base,
    ) -> Result<(), StoreError> {
        let link = Link { base, missing_since: None, ..doubt.link.clone() };
        self.log_settled(known, doubt);
        let found = Found { source: doubt.source.clone(), key: key.clone(), operation: doubt.open.id, link };
        self.link_found(known.record.id, found, self.item_ids(), self.nothing_finished()).await
    }

    /// An update has reached nobody, and what it was sent to is gone.
    async fn settle_gone(&self, known: &Known, doubt: &Doubt<'_>) -> Result<Settling, StoreError> {
        if let Some(key) = &doubt.link.key {
            match self.seen(doubt, key).await {
                Ok(Some(_)) => return Ok(refused(Unsettleable::StillThere(key.clone()))),
                Ok(None) => {}
                Err(owed) => return Ok(Settling::Later(doubt.source.clone(), owed)),
            }
        }
        // A person has said it: there is nothing to be waited for (`delete_after`).
        let link = Link { missing_since: Some(0), ..doubt.link.clone() };
        self.supersede(known, doubt, link).await?;
        Ok(Settling::Settled)
    }

    /// A create has made nothing: the copy is still to be created, unless somebody else has made the same item meanwhile. As long as
    /// that cannot be told, nothing is created beside it.
    async fn settle_never(&self, known: &Known, doubt: &Doubt<'_>) -> Result<Settling, StoreError> {
        for key in &doubt.row.waiting {
            let found = match self.seen(doubt, key).await {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(owed) => return Ok(Settling::Later(doubt.source.clone(), owed)),
            };
            let likeness = doubt.open.document.as_ref().map(|sent| self.likeness(doubt.source, sent, &found));
            match likeness {
                Some(Likeness::Same | Likeness::Matching) => {
                    self.link_settled(known, doubt, key, Base::unknown()).await?;
                    return Ok(Settling::Settled);
                }
                Some(Likeness::Possible | Likeness::Other) | None => {}
            }
        }
        self.supersede(known, doubt, doubt.link.clone()).await?;
        Ok(Settling::Settled)
    }

    /// Gives what stands under a key at the doubt's source; fails where that cannot be told now.
    async fn seen(&self, doubt: &Doubt<'_>, key: &ForeignKey) -> Result<Option<Json>, Owed> {
        match self.read_one(doubt.source, key).await.reading {
            Reading::Present(document) => Ok(Some(document)),
            Reading::Missing => Ok(None),
            Reading::Unreachable(why) => Err(Owed::Unreachable(why)),
            Reading::Broken(why) => Err(Owed::Failed(why)),
        }
    }

    async fn supersede(&self, known: &Known, doubt: &Doubt<'_>, link: Link) -> Result<(), StoreError> {
        self.log_settled(known, doubt);
        let link = Link { last_error: None, open: None, ..link };
        self.desk
            .insist(RecordResults {
                entity: self.desk.entity.name.clone(),
                record: known.record.id,
                links: vec![(doubt.source.clone(), link)],
                keys: Vec::new(),
                retired: Vec::new(),
                ended: vec![(doubt.open.id, OperationEnd::Superseded)],
                operations: Vec::new(),
                outputs: Vec::new(),
                decided_items: self.item_ids(),
                tidies: Vec::new(),
                finish: self.nothing_finished(),
            })
            .await
    }

    fn log_settled(&self, known: &Known, doubt: &Doubt<'_>) {
        info!(self.log, "doubt settled by a person"; key::SOURCE => %doubt.source,
            key::INTERNAL_KEY => known.record.id.0, key::OPERATION => %doubt.open.id.0);
    }
}

fn refused(why: Unsettleable) -> Settling {
    Settling::Refused(Ordered::Unsettleable(why))
}
