//! How the open conflicts of a record become those that were found now.

use sha2::{Digest as _, Sha256};
use tokio_postgres::Row;

use crate::domain::json::Json;
use crate::domain::merge::{Conflict, Contender};
use crate::domain::record::OpenConflict;
use crate::store::columns::{JsonText, Word};
use crate::store::encoding::{encode, encode_list};
use crate::store::run::{Fault, Step};

use super::copies::{Copies, column};
use super::rows::{list, open_conflict};

const OPEN: &str = include_str!("../../sql/conflict/open.sql");
const REVISE: &str = include_str!("../../sql/conflict/revise.sql");
const CLOSE: &str = include_str!("../../sql/conflict/close.sql");

/// A conflict on record, with every contender that ever stood there.
pub(super) struct Standing {
    open: OpenConflict,
    contended: Vec<Contender>,
}

impl Standing {
    pub(super) fn of_row(row: &Row) -> Result<Self, Fault> {
        Ok(Self { open: open_conflict(row)?, contended: list(row, "contended")? })
    }

    /// Gives every contender that ever stood here, those of `found` included, in the order in which they came.
    fn contended_with(&self, found: &Conflict) -> Vec<Contender> {
        let mut contended = self.contended.clone();
        contended.extend(found.contenders.iter().filter(|contender| !self.contended.contains(contender)).cloned());
        contended
    }
}

/// Opens, revises and closes conflicts, so that those in `found` are the open ones.
pub(super) fn changes(
    copies: &Copies<'_>,
    standing: &[Standing],
    found: &[Conflict],
    closed_by: &Json,
) -> impl Iterator<Item = Step> + use<> {
    let at = |path| standing.iter().find(|standing| standing.open.conflict.path == path);
    let gone = standing.iter().filter(|standing| !found.iter().any(|found| found.path == standing.open.conflict.path));
    let gone: Vec<i64> = gone.map(|standing| standing.open.id).collect();
    let new: Vec<&Conflict> = found.iter().filter(|found| at(found.path.clone()).is_none()).collect();
    let moved: Vec<(&Standing, &Conflict)> = found
        .iter()
        .filter_map(|found| Some((at(found.path.clone())?, found)))
        .filter(|(standing, found)| standing.open.conflict != **found)
        .collect();
    let close = (!gone.is_empty()).then(|| Step::new(CLOSE, [Box::new(gone), Box::new(JsonText::from(closed_by))]));
    let open = (!new.is_empty()).then(|| open(copies, &new));
    let revise = (!moved.is_empty()).then(|| revise(&moved));
    [close, open, revise].into_iter().flatten()
}

fn open(copies: &Copies<'_>, new: &[&Conflict]) -> Step {
    copies.step(
        OPEN,
        [
            column(new, |found| encode(&found.path)),
            column(new, |found| Sha256::digest(encode(&found.path).0).to_vec()),
            column(new, |found| found.kind.word()),
            column(new, |found| found.agreed.as_ref().map(JsonText::from)),
            column(new, |found| encode_list(&found.contenders)),
        ],
    )
}

fn revise(moved: &[(&Standing, &Conflict)]) -> Step {
    Step::new(
        REVISE,
        [
            column(moved, |(standing, _)| standing.open.id),
            column(moved, |(_, found)| found.kind.word()),
            column(moved, |(_, found)| found.agreed.as_ref().map(JsonText::from)),
            column(moved, |(_, found)| encode_list(&found.contenders)),
            column(moved, |(standing, found)| encode_list(&standing.contended_with(found))),
        ],
    )
}
