//! A simulated system: one SQLite file with its items, and its log of what changed them.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use crate::books::{Author, ChangeKind};
use crate::clock::{self, Micros};

const SCHEMA: &str = "
    create table if not exists item (
        key text primary key, document text not null, identity text, changed integer not null
    );
    create index if not exists item_identity on item (identity);
    create table if not exists change (
        seq integer primary key, at integer not null, key text not null, former_key text,
        kind text not null check (kind in ('create', 'update', 'delete')), before text, after text,
        author text not null check (author in ('user', 'retcon', 'source')), operation text, run text, seen text,
        fault text, excused integer not null default 0
    );
    create index if not exists change_operation on change (operation);
    create table if not exists counter (name text primary key, value integer not null);
    -- The keys that creates with these operations made.
    create table if not exists made (operation text primary key, key text not null);
    -- What a read still shows, until then, though it is deleted.
    create table if not exists ghost (key text primary key, document text not null, until integer not null);
    -- What the system will tidy by itself, and when.
    create table if not exists untidy (key text primary key, due integer not null);
";

/// How long a writer waits for another.
const BUSY: Duration = Duration::from_secs(10);

/// An open system.
#[derive(Debug)]
pub struct System(Connection);

/// A change to be entered in the log with the item.
#[derive(Debug, Clone)]
pub struct Deed<'a> {
    pub author: Author,
    pub operation: Option<&'a str>,
    pub run: Option<&'a str>,
    pub seen: Option<String>,
    pub fault: Option<&'a str>,
    pub excused: bool,
}

impl Deed<'_> {
    /// What somebody who works with the system does, having seen that.
    pub fn of_user(seen: Option<String>) -> Self {
        Self { author: Author::User, operation: None, run: None, seen, fault: None, excused: false }
    }

    /// What the system does by itself.
    pub fn of_source() -> Self {
        Self { author: Author::Source, ..Self::of_user(None) }
    }
}

impl System {
    /// Opens a system's file; makes it if there is none.
    ///
    /// # Errors
    /// SQLite's.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let is_new = !path.exists();
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        if is_new {
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.execute_batch(SCHEMA)?;
        }
        // Power does not fail here: what is committed outlives every process.
        connection.pragma_update(None, "synchronous", "off")?;
        Ok(Self(connection))
    }

    /// Begins a transaction that may write.
    ///
    /// # Errors
    /// SQLite's.
    pub fn begin(&mut self) -> rusqlite::Result<Work<'_>> {
        Ok(Work(self.0.transaction_with_behavior(TransactionBehavior::Immediate)?))
    }

    /// Gives the document of an item.
    ///
    /// # Errors
    /// SQLite's.
    pub fn find(&self, key: &str) -> rusqlite::Result<Option<String>> {
        self.0.query_row("select document from item where key = ?", [key], |row| row.get(0)).optional()
    }

    /// Gives what is still shown of a deleted item.
    ///
    /// # Errors
    /// SQLite's.
    pub fn find_ghost(&self, key: &str) -> rusqlite::Result<Option<String>> {
        let sql = "select document from ghost where key = ? and until > ?";
        self.0.query_row(sql, params![key, clock::now()], |row| row.get(0)).optional()
    }

    /// Lists all keys with their documents, the longest unchanged first.
    ///
    /// # Errors
    /// SQLite's.
    pub fn list(&self) -> rusqlite::Result<Vec<(String, String)>> {
        let mut statement = self.0.prepare("select key, document from item order by changed")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// Lists the keys of the items with this identity.
    ///
    /// # Errors
    /// SQLite's.
    pub fn list_identical(&self, identity: &str) -> rusqlite::Result<Vec<String>> {
        let mut statement = self.0.prepare("select key from item where identity = ?")?;
        statement.query_map([identity], |row| row.get(0))?.collect()
    }

    /// Tells where a write with this operation has led: the key of the item that it made or changed last, if it took effect.
    ///
    /// # Errors
    /// SQLite's.
    pub fn find_effect(&self, operation: &str) -> rusqlite::Result<Option<String>> {
        let sql = "select key from change where operation = ? order by seq desc limit 1";
        self.0.query_row(sql, [operation], |row| row.get(0)).optional()
    }

    /// Follows a key through the updates that changed it.
    ///
    /// # Errors
    /// SQLite's.
    pub fn latest_key(&self, key: &str) -> rusqlite::Result<String> {
        let sql = "select key from change where former_key = ? order by seq desc limit 1";
        let mut latest = key.to_owned();
        while let Some(next) = self.0.query_row(sql, [&latest], |row| row.get(0)).optional()? {
            latest = next;
        }
        Ok(latest)
    }

    /// Tells whether there is anything to tidy.
    ///
    /// # Errors
    /// SQLite's.
    pub fn is_untidy(&self) -> rusqlite::Result<bool> {
        self.0.query_row("select exists (select 1 from untidy)", [], |row| row.get(0))
    }

    /// Lists what the system tidies by now.
    ///
    /// # Errors
    /// SQLite's.
    pub fn list_untidy(&self) -> rusqlite::Result<Vec<String>> {
        let mut statement = self.0.prepare("select key from untidy where due <= ?")?;
        statement.query_map([clock::now()], |row| row.get(0))?.collect()
    }

    /// Lists the keys that changed after the change `seq`, with their changes and authors.
    ///
    /// # Errors
    /// SQLite's.
    pub fn list_changed(&self, seq: i64) -> rusqlite::Result<Vec<(i64, String, Author)>> {
        let mut statement = self.0.prepare("select seq, key, author from change where seq > ? order by seq")?;
        statement.query_map([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
    }
}

/// Changes that take effect together.
#[derive(Debug)]
pub struct Work<'a>(Transaction<'a>);

impl Work<'_> {
    /// Makes it take effect.
    ///
    /// # Errors
    /// SQLite's.
    pub fn commit(self) -> rusqlite::Result<()> {
        self.0.commit()
    }

    /// Counts.
    ///
    /// # Errors
    /// SQLite's.
    pub fn count(&self, name: &str) -> rusqlite::Result<u64> {
        let sql =
            "insert into counter values (?, 1) on conflict (name) do update set value = value + 1 returning value";
        let value: i64 = self.0.query_row(sql, [name], |row| row.get(0))?;
        Ok(value.unsigned_abs())
    }

    /// Gives the document of an item.
    ///
    /// # Errors
    /// SQLite's.
    pub fn find(&self, key: &str) -> rusqlite::Result<Option<String>> {
        self.0.query_row("select document from item where key = ?", [key], |row| row.get(0)).optional()
    }

    /// Gives the key of the item that the create with this operation made first, if it took effect.
    ///
    /// # Errors
    /// SQLite's.
    pub fn find_made(&self, operation: &str) -> rusqlite::Result<Option<String>> {
        self.0.query_row("select key from made where operation = ?", [operation], |row| row.get(0)).optional()
    }

    /// Makes an item.
    ///
    /// # Errors
    /// SQLite's.
    pub fn create(&self, key: &str, document: &str, deed: &Deed<'_>) -> rusqlite::Result<()> {
        let values = params![key, document, identity(document), clock::now()];
        self.0.execute("insert into item (key, document, identity, changed) values (?, ?, ?, ?)", values)?;
        if let Some(operation) = deed.operation {
            self.0.execute("insert or ignore into made (operation, key) values (?, ?)", params![operation, key])?;
        }
        self.log(ChangeKind::Create, (key, None), (None, Some(document)), deed)
    }

    /// Replaces an item, which gets the key `new_key`.
    ///
    /// # Errors
    /// SQLite's.
    pub fn update(&self, key: &str, new_key: &str, document: &str, deed: &Deed<'_>) -> rusqlite::Result<()> {
        let before = self.find(key)?;
        let values = params![new_key, document, identity(document), clock::now(), key];
        self.0.execute("update item set key = ?, document = ?, identity = ?, changed = ? where key = ?", values)?;
        let former = (key != new_key).then_some(key);
        self.log(ChangeKind::Update, (new_key, former), (before.as_deref(), Some(document)), deed)
    }

    /// Removes an item, which goes on being shown until `ghost`.
    ///
    /// # Errors
    /// SQLite's.
    pub fn delete(&self, key: &str, ghost: Option<Micros>, deed: &Deed<'_>) -> rusqlite::Result<()> {
        let before = self.find(key)?;
        self.0.execute("delete from item where key = ?", [key])?;
        if let Some(until) = ghost {
            self.0.execute("insert or replace into ghost values (?, ?, ?)", params![key, before, until])?;
        }
        self.log(ChangeKind::Delete, (key, None), (before.as_deref(), None), deed)
    }

    /// Says that an item is to be tidied then, or was.
    ///
    /// # Errors
    /// SQLite's.
    pub fn set_untidy(&self, key: &str, due: Option<Micros>) -> rusqlite::Result<()> {
        match due {
            Some(due) => self.0.execute("insert or replace into untidy values (?, ?)", params![key, due])?,
            None => self.0.execute("delete from untidy where key = ?", [key])?,
        };
        Ok(())
    }

    fn log(
        &self,
        kind: ChangeKind,
        (key, former_key): (&str, Option<&str>),
        (before, after): (Option<&str>, Option<&str>),
        deed: &Deed<'_>,
    ) -> rusqlite::Result<()> {
        let Deed { author, operation, run, seen, fault, excused } = deed;
        let sql = "insert into change (at, key, former_key, kind, before, after, author, operation, run, seen, fault, excused) \
                   values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let (kind, author) = (kind.as_str(), author.as_str());
        let values =
            params![clock::now(), key, former_key, kind, before, after, author, operation, run, seen, fault, excused];
        self.0.execute(sql, values).map(drop)
    }
}

/// Gives the member by which people know an item again: `id`.
fn identity(document: &str) -> Option<String> {
    let document: serde_json::Value = serde_json::from_str(document).ok()?;
    document["id"].as_str().map(str::to_owned)
}
