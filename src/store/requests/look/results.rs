//! The second transaction of a look.

use tokio_postgres::Row;

use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::name::SourceName;
use crate::domain::record::{Link, LinkState, OperationId};
use crate::store::columns::{get, parsed};
use crate::store::requests::lease::Fence;
use crate::store::requests::queue::{Finish, WorkEnd, find_running, ids, is_running};
use crate::store::run::{Authority, Fault, Recording, Request, Session, Step, run_together};
use crate::store::{Store, StoreError};

use super::RecordResults;
use super::copies::{Copies, column};
use super::sheet::Sheet;

const BLAME_LINKS: &str = include_str!("../../sql/link/blame.sql");
const DOUBT_OPERATIONS: &str = include_str!("../../sql/operation/doubt.sql");

/// A key that a write gave and that is another record's copy.
struct TakenKey {
    source: SourceName,
    key: ForeignKey,
    record: InternalKey,
}

impl Request for RecordResults {
    type Reply = ();

    const ACTION: &'static str = "record results";

    const AUTHORITY: Authority = Authority::Server;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        if session.may_be_short() {
            session.conclude(self.plain().transaction(&self.entity)).await?;
            return Ok(());
        }
        let copies = Copies { entity: &self.entity, record: self.record };
        let steps = [copies.lock(), copies.list_holders(self.borne()), find_running(&self.finish.items)];
        let [_, holders, running] = session.pipeline_of(steps).await?;
        if !self.finish.items.is_empty() && !is_running(&running)? {
            // This was recorded before: only the word of it was lost.
            return Ok(());
        }
        let taken = holders.iter().map(taken_key).collect::<Result<Vec<_>, _>>()?;
        let mut sheet = Sheet::default();
        sheet.first.extend(doubts(&copies, &taken));
        self.enter(&mut sheet, &taken);
        session.conclude(sheet.writes(&self.entity)).await?;
        Ok(())
    }

    async fn run_under(self, fence: Fence, store: &Store) -> Result<(), StoreError> {
        run_together(self, fence, 1, store).await
    }

    async fn run_among(self, looks: u32, fence: Fence, store: &Store) -> Result<(), StoreError> {
        run_together(self, fence, looks, store).await
    }
}

impl Recording for RecordResults {
    fn sheet(&self) -> Option<Sheet> {
        Some(self.plain())
    }

    fn reply(&self, _: Option<InternalKey>) {}
}

fn taken_key(row: &Row) -> Result<TakenKey, Fault> {
    Ok(TakenKey {
        source: parsed(row, "source")?,
        key: parsed(row, "foreign_key")?,
        record: InternalKey(get(row, "record")?),
    })
}

impl RecordResults {
    /// Gives the keys that the record's copies bear, or are given.
    fn borne(&self) -> impl Iterator<Item = (&SourceName, &ForeignKey)> {
        let linked = self.links.iter().filter_map(|(source, link)| Some((source, link.key.as_ref()?)));
        self.keys.iter().map(|(source, key)| (source, key)).chain(linked)
    }

    /// Gives what is recorded if there turns out to be nothing to be considered.
    fn plain(&self) -> Sheet {
        let mut sheet = Sheet::default();
        sheet.lock(self.record, None, &self.finish.items);
        self.borne().for_each(|(source, key)| sheet.expect_free(self.record, source, key));
        self.enter(&mut sheet, &[]);
        sheet
    }

    /// Enters what is to be recorded.
    fn enter(&self, sheet: &mut Sheet, taken: &[TakenKey]) {
        let is_taken = |source: &SourceName| taken.iter().any(|taken| taken.source == *source);
        self.ended.iter().for_each(|(id, end)| sheet.end(self.record, *id, end));
        sheet.end_none_at(taken.iter().map(|taken| taken.source.as_str().to_owned()));
        for (source, operation, last_end) in &self.operations {
            sheet.put(self.record, source, operation, Some(last_end));
            sheet.release(operation.id);
        }
        let kept = self.outputs.iter().filter(|(id, _)| !taken.is_empty() || !self.is_settled(*id));
        kept.for_each(|(id, output)| sheet.keep(*id, output));
        self.retired.iter().for_each(|gone| sheet.retire(self.record, gone));
        for (source, link) in self.links.iter().filter(|(source, _)| !is_taken(source)) {
            match self.new_key(source) {
                None => sheet.link(self.record, source, link),
                Some(key) => {
                    let link = Link { state: LinkState::Linked, key: Some(key.clone()), ..link.clone() };
                    sheet.link(self.record, source, &link);
                }
            }
        }
        let is_linked = |source: &SourceName| self.links.iter().any(|(linked, _)| linked == source);
        let rekeyed = self.keys.iter().filter(|(source, _)| !is_taken(source) && !is_linked(source));
        rekeyed.for_each(|(source, key)| sheet.rekey(self.record, source, key));
        self.tidies.iter().for_each(|source| sheet.tidies(source));
        sheet.decide(ids(&self.decided_items));
        sheet.finish(&self.entity, &self.finish(taken));
    }

    fn is_settled(&self, id: OperationId) -> bool {
        self.ended.iter().any(|(ended, _)| *ended == id)
    }

    fn new_key(&self, source: &SourceName) -> Option<&ForeignKey> {
        self.keys.iter().find(|(keyed, _)| keyed == source).map(|(_, key)| key)
    }

    /// A doubt is no work item: what is in doubt ends its items.
    fn finish(&self, taken: &[TakenKey]) -> Finish {
        match &self.finish.end {
            WorkEnd::Done { .. } if !taken.is_empty() => {
                Finish { items: self.finish.items.clone(), end: WorkEnd::Done { outcome: "in-doubt" } }
            }
            WorkEnd::Done { .. } | WorkEnd::Again { .. } | WorkEnd::Parked { .. } | WorkEnd::Held { .. } => {
                self.finish.clone()
            }
        }
    }
}

/// Puts writes in doubt whose key is another record's copy, and leaves their links as they are.
fn doubts(copies: &Copies<'_>, taken: &[TakenKey]) -> Vec<Step> {
    if taken.is_empty() {
        return Vec::new();
    }
    let source = |taken: &TakenKey| taken.source.as_str().to_owned();
    let why = |taken: &TakenKey| format!("its key {} is that of record {}", taken.key, taken.record);
    vec![
        copies.step(
            DOUBT_OPERATIONS,
            [column(taken, source), column(taken, |taken| taken.key.as_str().to_owned()), column(taken, why)],
        ),
        copies.step(BLAME_LINKS, [column(taken, source), column(taken, why)]),
    ]
}
