//! What looks record where nothing else has to be considered: rows, of one look or of several.

mod size;
mod statements;

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::json::Json;
use crate::domain::key::{ForeignKey, InternalKey};
use crate::domain::name::{EntityName, SourceName};
use crate::domain::record::{Link, LinkState, OpenOperation, OperationEnd, OperationId, Output};
use crate::store::columns::{JsonText, Word, storable};
use crate::store::encoding::{encode, encode_list};
use crate::store::requests::queue::{Finish, Receipt, WorkEnd};
use crate::store::run::{Parameter, Step};

use size::{Size, bytes_of};

pub(in crate::store) use statements::introduced;

/// Rows as a statement takes them: an array for each column.
trait Rows: Sized {
    fn columns(rows: Vec<Self>) -> Vec<Parameter>;
}

/// Declares rows whose columns stand in the order of their statement's parameters.
macro_rules! rows {
    ($($(#[$about:meta])* struct $name:ident { $($column:ident: $kind:ty,)+ })+) => {$(
        $(#[$about])*
        pub(super) struct $name { $(pub(super) $column: $kind,)+ }

        impl Rows for $name {
            fn columns(rows: Vec<Self>) -> Vec<Parameter> {
                $(let mut $column: Vec<$kind> = Vec::with_capacity(rows.len());)+
                for row in rows {
                    $($column.push(row.$column);)+
                }
                vec![$(Box::new($column)),+]
            }
        }

        impl Size for $name {
            fn size(&self) -> usize {
                0 $(+ self.$column.size())+
            }
        }
    )+};
}

rows! {
    /// The version that a record must have; `None`: any.
    struct Expected { record: i64, version: Option<i64>, }
    /// A copy that must not be there yet.
    struct Created { record: i64, source: String, }
    /// A key that must be no other record's.
    struct Wanted { record: i64, source: String, key: String, }
    /// An item of a look at a record, one of which must still be under its claim.
    struct Claimed { record: i64, item: i64, claim: i64, }
    /// The next version of a record.
    struct Revised {
        record: i64,
        state: &'static str,
        version: i64,
        agreed: Option<JsonText>,
        match_value: Option<String>,
        cause: JsonText,
        changes: JsonText,
        conflicts: JsonText,
        overruled: JsonText,
    }
    /// The match value of a record that has no new version.
    struct Matched { record: i64, value: Option<String>, }
    /// A write that is settled.
    struct Ended { record: i64, id: Uuid, state: &'static str, new_key: Option<String>, }
    /// A write, or how far it has come.
    struct Put {
        record: i64,
        id: Uuid,
        source: String,
        kind: &'static str,
        state: &'static str,
        key: Option<String>,
        document: Option<JsonText>,
        carries: JsonText,
        version: i64,
        attempts: i32,
        may_have_taken_effect: bool,
        last_end: Option<String>,
    }
    /// What a program said.
    struct Said { id: Uuid, exit: String, stdout: String, stderr: String, }
    /// A copy that is gone.
    struct Retired { record: i64, source: String, key: String, document: Option<JsonText>, }
    /// A link as it is from now on.
    struct Linked {
        record: i64,
        source: String,
        state: &'static str,
        key: Option<String>,
        shadow: Option<JsonText>,
        unknown: JsonText,
        ack: Option<JsonText>,
        owed: JsonText,
        last: Option<JsonText>,
        missing_since: Option<Timestamp>,
        in_step: bool,
        last_error: Option<String>,
    }
    /// A link of which only the key is new.
    #[derive(Clone)]
    struct Rekeyed { record: i64, source: String, key: String, }
    /// A key that becomes a record.
    #[derive(Clone)]
    struct Newcomer { source: String, key: String, }
    /// An item that leads to one of them, the first of which is 1.
    #[derive(Clone)]
    struct Led { place: i64, item: i64, }
    /// An item that is done.
    struct Finished { item: i64, claim: i64, outcome: &'static str, }
}

/// What is recorded in one transaction, of one look or of several at different records.
#[derive(Default)]
pub(in crate::store) struct Sheet {
    /// The records that are locked, in the order in which all lock them.
    records: BTreeSet<i64>,
    expected: Vec<Expected>,
    created: Vec<Created>,
    wanted: Vec<Wanted>,
    claimed: Vec<Claimed>,
    /// Statements of one look that come before copies and their writes are changed.
    pub(super) first: Vec<Step>,
    pub(super) revised: Vec<Revised>,
    pub(super) matched: Vec<Matched>,
    ended: Vec<Ended>,
    /// Sources at which no write is settled.
    unsettled_at: Vec<String>,
    put: Vec<Put>,
    said: Vec<Said>,
    /// Writes that others may wait for.
    moved: Vec<Uuid>,
    retired: Vec<Retired>,
    linked: Vec<Linked>,
    rekeyed: Vec<Rekeyed>,
    tidying: BTreeSet<String>,
    decided: Vec<i64>,
    newcomers: Vec<Newcomer>,
    led: Vec<Led>,
    finished: Vec<Finished>,
    /// Items that are put back.
    again: Vec<i64>,
    /// Statements of one look that come after its others.
    pub(super) last: Vec<Step>,
}

impl Sheet {
    /// Has the record locked, and seen to it that there is nothing to be considered: it has this version, if any is given, and
    /// no open conflict, and one of the items is still under its claim, if there are any.
    pub(super) fn lock(&mut self, InternalKey(record): InternalKey, version: Option<i64>, items: &[Receipt]) {
        self.records.insert(record);
        self.expected.push(Expected { record, version });
        let claimed = items.iter().map(|Receipt { item, claim }| Claimed { record, item: item.0, claim: *claim });
        self.claimed.extend(claimed);
    }

    /// Has seen to it that the record has no copy in this source.
    pub(super) fn expect_none(&mut self, InternalKey(record): InternalKey, source: &SourceName) {
        self.created.push(Created { record, source: source.as_str().to_owned() });
    }

    /// Has seen to it that this key is no other record's copy.
    pub(super) fn expect_free(&mut self, InternalKey(record): InternalKey, source: &SourceName, key: &ForeignKey) {
        self.wanted.push(Wanted { record, source: source.as_str().to_owned(), key: key.as_str().to_owned() });
    }

    /// A write is settled.
    pub(super) fn end(&mut self, InternalKey(record): InternalKey, id: OperationId, end: &OperationEnd) {
        let (state, new_key) = match end {
            OperationEnd::Done { key } => ("done", key.as_ref().map(|key| key.as_str().to_owned())),
            OperationEnd::Superseded => ("superseded", None),
        };
        self.ended.push(Ended { record, id: id.0, state, new_key });
        self.moved.push(id.0);
    }

    /// No write is settled at these sources.
    pub(super) fn end_none_at(&mut self, sources: impl Iterator<Item = String>) {
        self.unsettled_at.extend(sources);
    }

    /// A write is on record, or how far it has come; with its last end, where it had one.
    pub(super) fn put(
        &mut self,
        InternalKey(record): InternalKey,
        source: &SourceName,
        operation: &OpenOperation,
        last_end: Option<&str>,
    ) {
        self.put.push(Put {
            record,
            id: operation.id.0,
            source: source.as_str().to_owned(),
            kind: operation.kind.word(),
            state: operation.state.word(),
            key: operation.key.as_ref().map(|key| key.as_str().to_owned()),
            document: operation.document.as_ref().map(JsonText::from),
            carries: encode(&operation.carries),
            version: operation.version,
            attempts: operation.attempts,
            may_have_taken_effect: operation.may_have_taken_effect,
            last_end: last_end.map(storable),
        });
    }

    /// A write has moved on: what waits for it is due.
    pub(super) fn release(&mut self, OperationId(id): OperationId) {
        self.moved.push(id);
    }

    /// Keeps what a program said.
    pub(super) fn keep(&mut self, OperationId(id): OperationId, output: &Output) {
        let (exit, stdout, stderr) = (&output.exit, &output.stdout, &output.stderr);
        self.said.push(Said { id, exit: storable(exit), stdout: storable(stdout), stderr: storable(stderr) });
    }

    /// A copy is gone.
    pub(super) fn retire(&mut self, record: InternalKey, (source, key, held): &(SourceName, ForeignKey, Option<Json>)) {
        let (source, key) = (source.as_str().to_owned(), key.as_str().to_owned());
        self.retired.push(Retired { record: record.0, source, key, document: held.as_ref().map(JsonText::from) });
    }

    /// A link as it is from now on, and which key its copy bears; its operation stands elsewhere.
    pub(super) fn link(&mut self, InternalKey(record): InternalKey, source: &SourceName, link: &Link) {
        self.linked.push(Linked {
            record,
            source: source.as_str().to_owned(),
            state: link.state.word(),
            key: key_of(link),
            shadow: link.base.shadow.as_ref().map(JsonText::from),
            unknown: encode_list(&link.base.unknown),
            ack: link.base.ack.as_ref().map(JsonText::from),
            owed: encode_list(&link.base.owed),
            last: link.last.as_ref().map(JsonText::from),
            missing_since: link.missing_since.map(instant),
            in_step: link.in_step,
            last_error: link.last_error.as_deref().map(storable),
        });
    }

    /// A copy has another key, and nothing else of its link has changed.
    pub(super) fn rekey(&mut self, InternalKey(record): InternalKey, source: &SourceName, key: &ForeignKey) {
        self.rekeyed.push(Rekeyed { record, source: source.as_str().to_owned(), key: key.as_str().to_owned() });
    }

    /// A source has stored something other than what it was sent.
    pub(super) fn tidies(&mut self, source: &SourceName) {
        self.tidying.insert(source.as_str().to_owned());
    }

    /// The orders of these items are decided.
    pub(super) fn decide(&mut self, items: Vec<i64>) {
        self.decided.extend(items);
    }

    /// A key becomes a record, to which these items lead.
    pub(super) fn introduce(&mut self, source: &SourceName, key: &ForeignKey, items: Vec<i64>) {
        self.newcomers.push(Newcomer { source: source.as_str().to_owned(), key: key.as_str().to_owned() });
        let place = self.introduces();
        self.led.extend(items.into_iter().map(|item| Led { place: place as i64, item }));
    }

    /// Gives how many keys become records.
    pub(in crate::store) fn introduces(&self) -> usize {
        self.newcomers.len()
    }

    /// Items end.
    pub(super) fn finish(&mut self, entity: &EntityName, finish: &Finish) {
        if finish.items.is_empty() {
            return;
        }
        match &finish.end {
            WorkEnd::Done { outcome } => {
                let finished = |Receipt { item, claim }: &Receipt| Finished { item: item.0, claim: *claim, outcome };
                self.finished.extend(finish.items.iter().map(finished));
            }
            WorkEnd::Again { .. } | WorkEnd::Parked { .. } | WorkEnd::Held { .. } => {
                self.again.extend(finish.items.iter().map(|receipt| receipt.item.0));
                self.last.push(finish.step(entity));
            }
        }
    }

    /// Tells whether what both record can be recorded in one transaction, as it would be one after the other.
    pub(in crate::store) fn goes_with(&self, other: &Self) -> bool {
        self.records.is_disjoint(&other.records)
    }

    /// Gives about how many bytes are sent for it: those of documents and other texts that may be long.
    pub(in crate::store) fn bytes(&self) -> usize {
        let versions = bytes_of(&self.revised) + bytes_of(&self.matched);
        let writes = bytes_of(&self.put) + bytes_of(&self.said);
        versions + writes + bytes_of(&self.retired) + bytes_of(&self.linked) + bytes_of(&self.newcomers)
    }

    /// Takes what another one records.
    pub(in crate::store) fn absorb(&mut self, other: Self) {
        let Self {
            records,
            expected,
            created,
            wanted,
            claimed,
            first,
            revised,
            matched,
            ended,
            unsettled_at,
            put,
            said,
            moved,
            retired,
            linked,
            rekeyed,
            tidying,
            decided,
            newcomers,
            led,
            finished,
            again,
            last,
        } = other;
        let before = self.introduces() as i64;
        self.records.extend(records);
        self.expected.extend(expected);
        self.created.extend(created);
        self.wanted.extend(wanted);
        self.claimed.extend(claimed);
        self.first.extend(first);
        self.revised.extend(revised);
        self.matched.extend(matched);
        self.ended.extend(ended);
        self.unsettled_at.extend(unsettled_at);
        self.put.extend(put);
        self.said.extend(said);
        self.moved.extend(moved);
        self.retired.extend(retired);
        self.linked.extend(linked);
        self.rekeyed.extend(rekeyed);
        self.tidying.extend(tidying);
        self.decided.extend(decided);
        self.led.extend(led.into_iter().map(|Led { place, item }| Led { place: before + place, item }));
        self.newcomers.extend(newcomers);
        self.finished.extend(finished);
        self.again.extend(again);
        self.last.extend(last);
    }
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
