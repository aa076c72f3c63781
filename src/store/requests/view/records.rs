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
use crate::store::run::{Fault, Mode, Parameter, Request, Session};

use super::{ListHistory, ListRecords, Page, RecordRow, RecordView, ShowRecord, page_of_large};

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
        let (sql, narrowed) = match (&self.source, &self.key) {
            (None, _) => (LIST, Vec::new()),
            (Some(source), None) => (LIST_OF_SOURCE, vec![source.as_str()]),
            (Some(source), Some(key)) => (LIST_BY_KEY, vec![source.as_str(), key.as_str()]),
        };
        let parameters = |after: i64, fetched: i64| {
            let mut all: Vec<Parameter> = vec![text(self.entity.as_str()), Box::new(after), Box::new(fetched)];
            all.extend(narrowed.iter().map(|word| text(word)));
            all
        };
        let (window, place) = ((self.after, self.limit), |row: &RecordRow| row.record.id.0);
        page_of_large(session, (sql, parameters), window, (record_row, place)).await
    }
}

fn text(word: &str) -> Parameter {
    Box::new(word.to_owned())
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
        let parameters = |after: i64, fetched: i64| -> Vec<Parameter> {
            vec![text(self.entity.as_str()), Box::new(self.record.0), Box::new(after), Box::new(fetched)]
        };
        let (window, place) = ((self.after, self.limit), |version: &Version| version.version);
        page_of_large(session, (LIST_VERSIONS, parameters), window, (version, place)).await
    }
}

pub(in crate::store::requests) fn version(row: &Row) -> Result<Version, Fault> {
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
