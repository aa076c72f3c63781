//! Open conflicts, and which are alike.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio_postgres::Row;

use crate::domain::key::InternalKey;
use crate::domain::name::SourceName;
use crate::store::columns::{Word, get, parse, parsed, time, unreadable, word};
use crate::store::encoding::{decode, encode};
use crate::store::requests::view::{conflict_row, page_of_large};
use crate::store::run::{Fault, Mode, Parameter, Request, Session};

use super::{
    CountInbox, EntityCount, FindGroup, Group, Inbox, InboxRow, ListGroups, ListInbox, ListPicks, Pick, Within,
};

const COUNT: &str = include_str!("../../sql/conflict/count_inbox.sql");
const LIST: &str = include_str!("../../sql/conflict/list_inbox.sql");
const LIST_ALIKE: &str = include_str!("../../sql/conflict/list_alike.sql");
const LIST_OF_ONE: &str = include_str!("../../sql/conflict/list_of_one.sql");
const LIST_GROUPS: &str = include_str!("../../sql/conflict/list_groups.sql");
const FIND_GROUP: &str = include_str!("../../sql/conflict/find_group.sql");
const LIST_PICKS: &str = include_str!("../../sql/conflict/list_picks.sql");

impl Request for CountInbox {
    type Reply = Vec<EntityCount>;

    const ACTION: &'static str = "count conflicts";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Vec<EntityCount>, Fault> {
        let rows = session.list(COUNT, &[]).await?;
        let count = |row: &Row| {
            Ok(EntityCount {
                entity: parsed(row, "entity")?,
                conflicts: get(row, "conflicts")?,
                oldest: time(get::<Timestamp>(row, "opened_at")?),
            })
        };
        rows.iter().map(count).collect()
    }
}

impl Request for ListInbox {
    type Reply = Inbox;

    const ACTION: &'static str = "list conflicts";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Inbox, Fault> {
        let sql = match &self.within {
            Within::Alike(_) => LIST_ALIKE,
            Within::Record(_) => LIST_OF_ONE,
            Within::Entity { .. } => LIST,
        };
        let parameters = |after: i64, fetched: i64| {
            let mut all: Vec<Parameter> =
                vec![Box::new(self.entity.as_str().to_owned()), Box::new(after), Box::new(fetched)];
            match &self.within {
                Within::Alike(alike) => all.push(Box::new(alike.as_str().to_owned())),
                Within::Record(record) => all.push(Box::new(record.0)),
                Within::Entity { kind, path, source } => {
                    all.push(Box::new(kind.map(Word::word)));
                    all.push(Box::new(path.as_ref().map(|path| Sha256::digest(encode(path).0).to_vec())));
                    all.push(Box::new(source.as_ref().map(|source| source.as_str().to_owned())));
                }
            }
            all
        };
        page_of_large(session, (sql, parameters), (self.after, self.limit), (inbox_row, |row| row.row.id)).await
    }
}

fn inbox_row(row: &Row) -> Result<InboxRow, Fault> {
    Ok(InboxRow {
        row: conflict_row(row)?,
        moved_at: time(get::<Timestamp>(row, "changed_at")?),
        sources: sources(row)?,
        alike: parsed(row, "alike")?,
    })
}

/// Reads the names of the sources that contend.
pub(super) fn sources(row: &Row) -> Result<Vec<SourceName>, Fault> {
    let names = get::<&str>(row, "sources")?.split(',').filter(|name| !name.is_empty());
    names.map(|name| parse(name, "sources")).collect()
}

impl Request for ListGroups {
    type Reply = Vec<Group>;

    const ACTION: &'static str = "find out which conflicts are alike";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Vec<Group>, Fault> {
        let rows = session.list(LIST_GROUPS, &[&self.entity.as_str(), &self.limit]).await?;
        rows.iter().map(group).collect()
    }
}

impl Request for FindGroup {
    type Reply = Option<Group>;

    const ACTION: &'static str = "find conflicts that are alike";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Option<Group>, Fault> {
        let found = session.find(FIND_GROUP, &[&self.entity.as_str(), &self.alike.as_str()]).await?;
        found.as_ref().map(group).transpose()
    }
}

fn group(row: &Row) -> Result<Group, Fault> {
    Ok(Group {
        alike: parsed(row, "alike")?,
        conflicts: get(row, "conflicts")?,
        path: decode(&get(row, "path")?).map_err(|error| unreadable("path", error))?,
        kind: word(row, "kind")?,
        sources: sources(row)?,
        first: get(row, "id")?,
        oldest: time(get::<Timestamp>(row, "opened_at")?),
    })
}

impl Request for ListPicks {
    type Reply = Vec<Pick>;

    const ACTION: &'static str = "list conflicts that are alike";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Vec<Pick>, Fault> {
        let rows = session.list(LIST_PICKS, &[&self.entity.as_str(), &self.alike.as_str(), &self.limit]).await?;
        let pick = |row: &Row| {
            let record = InternalKey(get(row, "record")?);
            Ok(Pick { conflict: get(row, "id")?, revision: get(row, "revision")?, record })
        };
        rows.iter().map(pick).collect()
    }
}
