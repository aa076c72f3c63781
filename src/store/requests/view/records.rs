//! Records as they are shown, and their history.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::domain::history::Version;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::name::SourceName;
use crate::domain::record::Record;
use crate::store::columns::{document, get, parse, parsed, stored, time, word};
use crate::store::requests::look::{known, list};
use crate::store::run::{Fault, Mode, Request, Session};

use super::{ListHistory, ListRecords, Page, RecordRow, RecordView, ShowRecord, page};

const LIST: &str = include_str!("../../sql/record/list.sql");
const LIST_OF_SOURCE: &str = include_str!("../../sql/record/list_of_source.sql");
const LIST_BY_KEY: &str = include_str!("../../sql/record/list_by_key.sql");
const LIST_FORMER: &str = include_str!("../../sql/foreign_key/list_former.sql");
const LIST_VERSIONS: &str = include_str!("../../sql/version/list.sql");

impl Request for ListRecords {
    type Reply = Page<RecordRow>;

    const ACTION: &'static str = "list records";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Page<RecordRow>, Fault> {
        let (entity, fetched) = (self.entity.as_str(), self.limit.saturating_add(1));
        let rows = match (&self.source, &self.key) {
            (None, _) => session.list(LIST, &[&entity, &self.after, &fetched]).await?,
            (Some(source), None) => {
                session.list(LIST_OF_SOURCE, &[&entity, &self.after, &fetched, &source.as_str()]).await?
            }
            (Some(source), Some(key)) => {
                let (source, key) = (source.as_str(), key.as_str());
                session.list(LIST_BY_KEY, &[&entity, &self.after, &fetched, &source, &key]).await?
            }
        };
        page(&rows, self.limit, record_row, |row| row.record.id.0)
    }
}

fn record_row(row: &Row) -> Result<RecordRow, Fault> {
    let sources = get::<Vec<&str>>(row, "sources")?;
    let keys = get::<Vec<&str>>(row, "keys")?;
    let links = sources.into_iter().zip(keys).map(|(source, key)| Ok((parse(source, "sources")?, parse(key, "keys")?)));
    Ok(RecordRow {
        record: Record {
            id: InternalKey(get(row, "id")?),
            state: word(row, "state")?,
            version: get(row, "version")?,
            agreed: document(row, "agreed")?,
        },
        links: links.collect::<Result<_, Fault>>()?,
        conflicts: get(row, "conflicts")?,
    })
}

impl Request for ShowRecord {
    type Reply = Option<RecordView>;

    const ACTION: &'static str = "show a record";

    // A look may be recording what it decided.
    const MODE: Mode = Mode::Snapshot;

    async fn attempt(&self, session: &Session<'_>) -> Result<Option<RecordView>, Fault> {
        let Some(known) = known(session, &self.entity, self.record).await? else { return Ok(None) };
        let mut former_keys: BTreeMap<SourceName, Vec<ForeignKey>> = BTreeMap::new();
        for row in session.list(LIST_FORMER, &[&self.entity.as_str(), &self.record.0]).await? {
            former_keys.entry(parsed(&row, "source")?).or_default().push(parsed(&row, "key")?);
        }
        Ok(Some(RecordView { known, former_keys }))
    }
}

impl Request for ListHistory {
    type Reply = Page<Version>;

    const ACTION: &'static str = "list history";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Page<Version>, Fault> {
        let fetched = self.limit.saturating_add(1);
        let rows = session.list(LIST_VERSIONS, &[&self.entity.as_str(), &self.record.0, &self.after, &fetched]).await?;
        page(&rows, self.limit, version, |version| version.version)
    }
}

fn version(row: &Row) -> Result<Version, Fault> {
    Ok(Version {
        version: get(row, "version")?,
        at: time(get::<Timestamp>(row, "at")?),
        cause: stored(row, "cause")?,
        changes: list(row, "changes")?,
        conflicts: list(row, "conflicts")?,
        overruled: list(row, "overruled")?,
        state: word(row, "state")?,
    })
}
