//! Records by what is known of them.

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::domain::key::InternalKey;
use crate::domain::record::RecordState;
use crate::store::columns::{Word, get, parse, parsed, time, word};
use crate::store::requests::view::Page;
use crate::store::run::{Fault, Mode, Request, Session};

use super::{
    Among, BrowseRecords, FindNamed, KeyRow, KeyState, Keys, LOOKED_THROUGH, ListKeys, ListSome, Listed, Named,
    narrowed,
};

const LIST_IDS: &str = include_str!("../../sql/record/list_ids.sql");
const LIST_DELETED: &str = include_str!("../../sql/record/list_deleted_ids.sql");
const LIST_OF_SOURCE: &str = include_str!("../../sql/link/list_records.sql");
const LIST_CONFLICTING: &str = include_str!("../../sql/conflict/list_records.sql");
const LIST_DOUBTFUL: &str = include_str!("../../sql/operation/list_records.sql");
const LIST_SOME: &str = include_str!("../../sql/record/list_some.sql");
const LIST_NAMED: &str = include_str!("../../sql/foreign_key/list_named.sql");
const LIST_KEYS: &str = include_str!("../../sql/foreign_key/list_of_record.sql");
const LIST_RECORDED: &str = include_str!("../../sql/link/list_recorded.sql");

/// How many keys of one record are told of.
const KEYS: i64 = 200;

/// Where the records come from that are looked through, and whether every one of them is wanted.
struct Driver {
    sql: &'static str,
    of_source: bool,
    exact: bool,
}

impl BrowseRecords {
    fn driver(&self) -> Driver {
        let (any_state, any_source) = (self.state.is_none(), self.source.is_none());
        let of_source = |exact| Driver { sql: LIST_OF_SOURCE, of_source: true, exact };
        let of_all = |sql, exact| Driver { sql, of_source: false, exact };
        match (self.among, &self.source, self.state) {
            (Among::Conflicting, _, _) => of_all(LIST_CONFLICTING, any_state && any_source),
            (Among::Doubtful, _, _) => of_all(LIST_DOUBTFUL, any_state && any_source),
            // A record that is deleted has copies for as long as it takes to delete them.
            (Among::All, _, Some(RecordState::Deleted)) => of_all(LIST_DELETED, any_source),
            (Among::All, Some(_), _) => of_source(any_state),
            (Among::All, None, _) => of_all(LIST_IDS, any_state),
        }
    }
}

impl Request for BrowseRecords {
    type Reply = Page<Listed>;

    const ACTION: &'static str = "look for records";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Page<Listed>, Fault> {
        let driver = self.driver();
        let fetched = if driver.exact { self.limit.saturating_add(1) } else { LOOKED_THROUGH };
        let (entity, source) = (self.entity.as_str(), self.source.as_ref().map(|source| source.as_str()));
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&entity, &self.after, &fetched];
        if driver.of_source {
            parameters.push(&source);
        }
        let rows = session.list(driver.sql, &parameters).await?;
        let column = |name| rows.iter().map(|row| get(row, name)).collect::<Result<Vec<i64>, Fault>>();
        let (records, places) = (column("record")?, column("place")?);
        let is_full = i64::try_from(places.len()).unwrap_or(i64::MAX) >= fetched;
        let end = places.last().copied().filter(|_| is_full);
        let wanted = (self.state.map(Word::word), source);
        let listed = list(session, (entity, &records, &places), wanted, self.limit.saturating_add(1)).await?;
        Ok(narrowed(listed, self.limit, end, |listed| listed.place))
    }
}

impl Request for ListSome {
    type Reply = Vec<Listed>;

    const ACTION: &'static str = "list records";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Vec<Listed>, Fault> {
        let records: Vec<i64> = self.records.iter().map(|record| record.0).collect();
        let places: Vec<i64> = (1..).take(records.len()).collect();
        list(session, (self.entity.as_str(), &records, &places), (None, None), i64::MAX).await
    }
}

async fn list(
    session: &Session<'_>,
    (entity, records, places): (&str, &Vec<i64>, &Vec<i64>),
    (state, source): (Option<&str>, Option<&str>),
    limit: i64,
) -> Result<Vec<Listed>, Fault> {
    let rows = session.list(LIST_SOME, &[&entity, records, &state, &source, places, &limit]).await?;
    rows.iter().map(listed).collect()
}

fn listed(row: &Row) -> Result<Listed, Fault> {
    let (sources, keys) = (get::<Vec<&str>>(row, "sources")?, get::<Vec<&str>>(row, "keys")?);
    let links = sources.into_iter().zip(keys).map(|(source, key)| Ok((parse(source, "sources")?, parse(key, "keys")?)));
    Ok(Listed {
        place: get(row, "place")?,
        record: InternalKey(get(row, "id")?),
        state: word(row, "state")?,
        version: get(row, "version")?,
        changed_at: time(get::<Timestamp>(row, "changed_at")?),
        beginning: get(row, "beginning")?,
        links: links.collect::<Result<_, Fault>>()?,
        conflicts: get(row, "conflicts")?,
        doubts: get(row, "doubts")?,
    })
}

impl Request for FindNamed {
    type Reply = Vec<Named>;

    const ACTION: &'static str = "look for a key";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Vec<Named>, Fault> {
        let sources: Vec<&str> = self.sources.iter().map(|source| source.as_str()).collect();
        let rows = session.list(LIST_NAMED, &[&self.entity.as_str(), &sources, &self.key.as_str()]).await?;
        let named = |row: &Row| {
            Ok(Named {
                source: parsed(row, "source")?,
                record: InternalKey(get(row, "record")?),
                state: word(row, "state")?,
                since: time(get::<Timestamp>(row, "changed_at")?),
            })
        };
        rows.iter().map(named).collect()
    }
}

impl Request for ListKeys {
    type Reply = Keys;

    const ACTION: &'static str = "list a record's keys";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Keys, Fault> {
        let (entity, record) = (self.entity.as_str(), self.record.0);
        let key = |row: &Row| {
            Ok(KeyRow {
                source: parsed(row, "source")?,
                key: parsed(row, "key")?,
                state: word(row, "state")?,
                since: time(get::<Timestamp>(row, "changed_at")?),
            })
        };
        let recorded =
            |row: &Row| Ok((parsed(row, "source")?, get::<Option<Timestamp>>(row, "recorded_at")?.map(time)));
        let keys = session.list(LIST_KEYS, &[&entity, &record, &KEYS]).await?;
        let copies = session.list(LIST_RECORDED, &[&entity, &record]).await?;
        Ok(Keys {
            keys: keys.iter().map(key).collect::<Result<_, Fault>>()?,
            recorded: copies.iter().map(recorded).collect::<Result<_, Fault>>()?,
        })
    }
}

impl Word for KeyState {
    const ALL: &'static [Self] = &[Self::Current, Self::Former, Self::Retired];

    fn word(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Former => "former",
            Self::Retired => "retired",
        }
    }
}
