//! Statements about one record.

use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::name::{EntityName, SourceName};
use crate::domain::record::OperationId;
use crate::store::run::{Parameter, Step};

const LIST_HOLDERS: &str = include_str!("../../sql/link/list_holders.sql");
const LOCK_RECORD: &str = include_str!("../../sql/record/lock.sql");
const RELEASE_HELD: &str = include_str!("../../sql/work_item/release_held.sql");

/// Makes statements about one record.
pub(super) struct Copies<'a> {
    pub(super) entity: &'a EntityName,
    pub(super) record: InternalKey,
}

impl Copies<'_> {
    /// Lists those of some keys that are other records' copies.
    pub(super) fn list_holders<'k>(&self, keys: impl IntoIterator<Item = (&'k SourceName, &'k ForeignKey)>) -> Step {
        let keys = keys.into_iter().map(|(source, key)| (source.as_str().to_owned(), key.as_str().to_owned()));
        let (sources, keys): (Vec<String>, Vec<String>) = keys.unzip();
        self.step(LIST_HOLDERS, [Box::new(sources), Box::new(keys)])
    }

    /// Locks the record; gives its version, if there is such a record.
    pub(super) fn lock(&self) -> Step {
        Step::holding(LOCK_RECORD, [Box::new(self.entity.as_str().to_owned()), Box::new(vec![self.record.0])])
    }

    /// Makes a statement whose first parameters are the entity and the record.
    pub(super) fn step<const N: usize>(&self, sql: &'static str, more: [Parameter; N]) -> Step {
        let first: [Parameter; 2] = [Box::new(self.entity.as_str().to_owned()), Box::new(self.record.0)];
        Step::of(sql, first.into_iter().chain(more).collect())
    }
}

/// Makes items due that wait for these writes, as far as they have moved on; `None` if there are none.
///
/// A statement of its own, after the writes were changed: it sees what began to wait meanwhile.
pub(in crate::store) fn release_held(moved: impl Iterator<Item = OperationId>) -> Option<Step> {
    let moved: Vec<uuid::Uuid> = moved.map(|OperationId(id)| id).collect();
    (!moved.is_empty()).then(|| Step::new(RELEASE_HELD, [Box::new(moved)]))
}

/// Makes an array parameter: one value for each row.
pub(super) fn column<R, T>(rows: &[R], value: impl Fn(&R) -> T) -> Parameter
where
    Vec<T>: tokio_postgres::types::ToSql + Send + Sync + 'static,
{
    Box::new(rows.iter().map(value).collect::<Vec<T>>())
}
