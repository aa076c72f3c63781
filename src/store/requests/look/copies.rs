//! The statements that record how copies, their keys and their operations stand; the transactions of a look share them.

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::json::Json;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::name::{EntityName, SourceName};
use crate::domain::record::{Link, LinkState, OpenOperation, OperationEnd, OperationId, Output};
use crate::store::columns::{JsonText, Word, storable};
use crate::store::encoding::{encode, encode_list};
use crate::store::run::{Parameter, Step};

const PUT_LINKS: &str = include_str!("../../sql/link/put.sql");
const LIST_HOLDERS: &str = include_str!("../../sql/link/list_holders.sql");
const PUT_KEYS: &str = include_str!("../../sql/foreign_key/put.sql");
const RETIRE_KEYS: &str = include_str!("../../sql/foreign_key/retire.sql");
const PUT_OPERATIONS: &str = include_str!("../../sql/operation/put.sql");
const CHECK: &str = include_str!("../../sql/record/check.sql");
const LOCK_RECORD: &str = include_str!("../../sql/record/lock.sql");
const END_OPERATIONS: &str = include_str!("../../sql/operation/end.sql");
const KEEP_OUTPUT: &str = include_str!("../../sql/operation/keep_output.sql");
const RELEASE_HELD: &str = include_str!("../../sql/work_item/release_held.sql");

/// Makes statements about one record.
pub(super) struct Copies<'a> {
    pub(super) entity: &'a EntityName,
    pub(super) record: InternalKey,
}

impl Copies<'_> {
    /// Stores links as they are, and which keys their copies bear; their operations stand elsewhere.
    pub(super) fn put_links(&self, changed: &[(SourceName, Link)]) -> Step {
        let state = |(_, link): &(_, Link)| link.state.word();
        self.step(
            PUT_LINKS,
            [
                column(changed, |(source, _)| source.as_str().to_owned()),
                column(changed, state),
                column(changed, |(_, link)| key_of(link)),
                column(changed, |(_, link)| link.base.shadow.as_ref().map(JsonText::from)),
                column(changed, |(_, link)| encode_list(&link.base.unknown)),
                column(changed, |(_, link)| link.base.ack.as_ref().map(JsonText::from)),
                column(changed, |(_, link)| encode_list(&link.base.owed)),
                column(changed, |(_, link)| link.last.as_ref().map(JsonText::from)),
                column(changed, |(_, link)| link.missing_since.map(instant)),
                column(changed, |(_, link)| link.in_step),
                column(changed, |(_, link)| link.last_error.as_deref().map(storable)),
            ],
        )
    }

    /// Stores which keys these links' copies bear now, where nothing else is stored of them.
    pub(super) fn put_keys(&self, changed: &[(SourceName, Link)]) -> Step {
        let keys = column(changed, |(_, link)| key_of(link));
        self.step(PUT_KEYS, [column(changed, |(source, _)| source.as_str().to_owned()), keys])
    }

    /// Lists those of some keys that are other records' copies.
    pub(super) fn list_holders<'k>(&self, keys: impl IntoIterator<Item = (&'k SourceName, &'k ForeignKey)>) -> Step {
        let (sources, keys) = columns(keys);
        self.step(LIST_HOLDERS, [Box::new(sources), Box::new(keys)])
    }

    /// Stores that copies are gone.
    pub(super) fn retire_keys(&self, gone: &[(SourceName, ForeignKey, Option<Json>)]) -> Step {
        self.step(
            RETIRE_KEYS,
            [
                column(gone, |(source, _, _)| source.as_str().to_owned()),
                column(gone, |(_, key, _)| key.as_str().to_owned()),
                column(gone, |(_, _, document)| document.as_ref().map(JsonText::from)),
            ],
        )
    }

    /// Stores operations, or how far they have come; each with its last end, where it had one.
    pub(super) fn put_operations(&self, open: &[(&SourceName, &OpenOperation, Option<&str>)]) -> Step {
        self.step(
            PUT_OPERATIONS,
            [
                column(open, |(_, operation, _)| operation.id.0),
                column(open, |(source, _, _)| source.as_str().to_owned()),
                column(open, |(_, operation, _)| operation.kind.word()),
                column(open, |(_, operation, _)| operation.state.word()),
                column(open, |(_, operation, _)| operation.key.as_ref().map(|key| key.as_str().to_owned())),
                column(open, |(_, operation, _)| operation.document.as_ref().map(JsonText::from)),
                column(open, |(_, operation, _)| encode(&operation.carries)),
                column(open, |(_, operation, _)| operation.version),
                column(open, |(_, operation, _)| operation.attempts),
                column(open, |(_, operation, _)| operation.may_have_taken_effect),
                column(open, |(_, _, last_end)| last_end.map(storable)),
            ],
        )
    }

    /// Settles operations, except at some sources.
    pub(super) fn end_operations(&self, ended: &[(OperationId, OperationEnd)], except: Vec<String>) -> Step {
        let key = |end: &OperationEnd| match end {
            OperationEnd::Done { key } => key.as_ref().map(|key| key.as_str().to_owned()),
            OperationEnd::Superseded => None,
        };
        self.step(
            END_OPERATIONS,
            [
                column(ended, |(OperationId(id), _)| -> Uuid { *id }),
                column(ended, |(_, end)| match end {
                    OperationEnd::Done { .. } => "done",
                    OperationEnd::Superseded => "superseded",
                }),
                column(ended, |(_, end)| key(end)),
                Box::new(except),
            ],
        )
    }

    /// Locks the record, and then sees to it that there is nothing to be considered: the short way of a transaction.
    pub(super) fn plain<'k>(
        &self,
        version: Option<i64>,
        created: Vec<String>,
        keys: impl IntoIterator<Item = (&'k SourceName, &'k ForeignKey)>,
        items: Vec<i64>,
    ) -> [Step; 2] {
        let (sources, keys) = columns(keys);
        let check =
            [Box::new(version) as Parameter, Box::new(created), Box::new(sources), Box::new(keys), Box::new(items)];
        [self.lock(), self.step(CHECK, check)]
    }

    /// Locks the record; gives its version.
    pub(super) fn lock(&self) -> Step {
        Step::holding(LOCK_RECORD, [Box::new(self.entity.as_str().to_owned()), Box::new(self.record.0)])
    }

    /// Makes a statement whose first parameters are the entity and the record.
    pub(super) fn step<const N: usize>(&self, sql: &'static str, more: [Parameter; N]) -> Step {
        let first: [Parameter; 2] = [Box::new(self.entity.as_str().to_owned()), Box::new(self.record.0)];
        Step::of(sql, first.into_iter().chain(more).collect())
    }
}

/// Keeps what programs said.
pub(super) fn keep_outputs(said: &[(OperationId, Output)]) -> Step {
    Step::new(
        KEEP_OUTPUT,
        [
            column(said, |(OperationId(id), _)| -> Uuid { *id }),
            column(said, |(_, output)| storable(&output.exit)),
            column(said, |(_, output)| storable(&output.stdout)),
            column(said, |(_, output)| storable(&output.stderr)),
        ],
    )
}

/// Makes items due that wait for these writes, as far as they have moved on; `None` if there are none.
///
/// A statement of its own, after the writes were changed: it sees what began to wait meanwhile.
pub(in crate::store) fn release_held(moved: impl Iterator<Item = OperationId>) -> Option<Step> {
    let moved: Vec<Uuid> = moved.map(|OperationId(id)| id).collect();
    (!moved.is_empty()).then(|| Step::new(RELEASE_HELD, [Box::new(moved)]))
}

/// Makes an array parameter: one value for each row.
pub(super) fn column<R, T>(rows: &[R], value: impl Fn(&R) -> T) -> Parameter
where
    Vec<T>: tokio_postgres::types::ToSql + Send + Sync + 'static,
{
    Box::new(rows.iter().map(value).collect::<Vec<T>>())
}

fn columns<'k>(keys: impl IntoIterator<Item = (&'k SourceName, &'k ForeignKey)>) -> (Vec<String>, Vec<String>) {
    keys.into_iter().map(|(source, key)| (source.as_str().to_owned(), key.as_str().to_owned())).unzip()
}

/// A copy has a key just where it is linked.
fn key_of(link: &Link) -> Option<String> {
    match link.state {
        LinkState::Linked => link.key.as_ref().map(|key| key.as_str().to_owned()),
        LinkState::Unlinked | LinkState::Detached => None,
    }
}

/// Makes an instant of microseconds since the Unix epoch; the last one there is, if that is later.
fn instant(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}
