//! The second transaction of a look.

use tokio_postgres::Row;

use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::name::SourceName;
use crate::domain::record::{Link, LinkState, OperationId, Output};
use crate::store::columns::{get, parsed};
use crate::store::requests::queue::{Finish, WorkEnd, ids};
use crate::store::run::{Authority, Fault, Request, Session, Step};

use super::RecordResults;
use super::copies::{self, Copies, column};
use super::decide::{DECIDE_ITEMS, FIND_RUNNING, is_running};

const REKEY_LINKS: &str = include_str!("../../sql/link/rekey.sql");
const BLAME_LINKS: &str = include_str!("../../sql/link/blame.sql");
const DOUBT_OPERATIONS: &str = include_str!("../../sql/operation/doubt.sql");
const MARK_TIDYING: &str = include_str!("../../sql/source/mark_tidying.sql");

/// Links by source.
type Links = Vec<(SourceName, Link)>;

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
        let copies = Copies { entity: &self.entity, record: self.record };
        let linked = self.links.iter().filter_map(|(source, link)| Some((source, link.key.as_ref()?)));
        let keys = self.keys.iter().map(|(source, key)| (source, key)).chain(linked);
        let items = ids(&self.finish.items);
        if session.may_be_short() {
            let plain = copies.plain(None, Vec::new(), keys, items);
            session.conclude(plain.into_iter().chain(self.steps(&copies, &[])).collect()).await?;
            return Ok(());
        }
        let steps = [copies.lock(), copies.list_holders(keys), Step::new(FIND_RUNNING, [Box::new(items)])];
        let [_, holders, running] = session.pipeline_of(steps).await?;
        if !self.finish.items.is_empty() && !is_running(&running)? {
            // This was recorded before: only the word of it was lost.
            return Ok(());
        }
        let taken = holders.iter().map(taken_key).collect::<Result<Vec<_>, _>>()?;
        session.conclude(self.steps(&copies, &taken)).await?;
        Ok(())
    }
}

fn taken_key(row: &Row) -> Result<TakenKey, Fault> {
    Ok(TakenKey {
        source: parsed(row, "source")?,
        key: parsed(row, "foreign_key")?,
        record: InternalKey(get(row, "record")?),
    })
}

impl RecordResults {
    /// Gives what is to be recorded, in its order: what ends makes room for what begins.
    fn steps(&self, copies: &Copies<'_>, taken: &[TakenKey]) -> Vec<Step> {
        let mut steps = doubts(copies, taken);
        if !self.ended.is_empty() {
            let except = taken.iter().map(|taken| taken.source.as_str().to_owned()).collect();
            steps.push(copies.end_operations(&self.ended, except));
        }
        if !self.operations.is_empty() {
            let open: Vec<_> = self
                .operations
                .iter()
                .map(|(source, open, last_end)| (source, open, Some(last_end.as_str())))
                .collect();
            steps.push(copies.put_operations(&open));
        }
        let kept = self.kept_outputs(taken);
        if !kept.is_empty() {
            steps.push(copies::keep_outputs(&kept));
        }
        steps.extend(copies::release_held(
            self.ended.iter().map(|(id, _)| *id).chain(self.operations.iter().map(|(_, open, _)| open.id)),
        ));
        if !self.retired.is_empty() {
            steps.push(copies.retire_keys(&self.retired));
        }
        let is_taken = |source: &SourceName| taken.iter().any(|taken| taken.source == *source);
        let (links, rekeyed) = self.links_with_keys();
        let links: Vec<_> = links.into_iter().filter(|(source, _)| !is_taken(source)).collect();
        if !links.is_empty() {
            steps.push(copies.put_links(&links));
        }
        let rekeyed: Vec<_> = rekeyed.into_iter().filter(|(source, _)| !is_taken(source)).collect();
        if !rekeyed.is_empty() {
            steps.extend([rekey(copies, &rekeyed), copies.put_keys(&rekeyed)]);
        }
        if !self.tidies.is_empty() {
            let sources = column(&self.tidies, |source| source.as_str().to_owned());
            steps.push(Step::new(MARK_TIDYING, [Box::new(self.entity.as_str().to_owned()), sources]));
        }
        if !self.decided_items.is_empty() {
            steps.push(Step::new(DECIDE_ITEMS, [Box::new(ids(&self.decided_items))]));
        }
        steps.push(self.finish(taken).step(&self.entity));
        steps
    }

    /// Gives what programs said whose writes are not settled with this.
    fn kept_outputs(&self, taken: &[TakenKey]) -> Vec<(OperationId, Output)> {
        let is_settled = |id: &OperationId| taken.is_empty() && self.ended.iter().any(|(ended, _)| ended == id);
        self.outputs.iter().filter(|(id, _)| !is_settled(id)).cloned().collect()
    }

    /// Gives the links with their new keys, and then those of which only the key is new.
    fn links_with_keys(&self) -> (Links, Links) {
        let new_key = |source: &SourceName| self.keys.iter().find(|(keyed, _)| keyed == source).map(|(_, key)| key);
        let with =
            |link: &Link, key: &ForeignKey| Link { state: LinkState::Linked, key: Some(key.clone()), ..link.clone() };
        let links = self.links.iter().map(|(source, link)| {
            (source.clone(), new_key(source).map_or_else(|| link.clone(), |key| with(link, key)))
        });
        let alone = self.keys.iter().filter(|(source, _)| !self.links.iter().any(|(linked, _)| linked == source));
        let unlinked = Link::unlinked();
        (links.collect(), alone.map(|(source, key)| (source.clone(), with(&unlinked, key))).collect())
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

fn rekey(copies: &Copies<'_>, rekeyed: &[(SourceName, Link)]) -> Step {
    let key = |(_, link): &(_, Link)| link.key.as_ref().map(|key| key.as_str().to_owned());
    copies.step(REKEY_LINKS, [column(rekeyed, |(source, _)| source.as_str().to_owned()), column(rekeyed, key)])
}
