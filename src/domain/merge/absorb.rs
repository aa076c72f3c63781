//! What a source stored of what it was sent, as a reading right after the write shows it.

use crate::domain::json::Json;
use crate::domain::record::Base;
use crate::domain::rules::{Fields, Rules};

/// What a reading after a write says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absorbed {
    /// The shadow from now on, within the source's fields.
    pub shadow: Option<Json>,
    /// The source stored something other than what it was sent.
    pub tidied: bool,
    /// The reading holds an edit: another look is needed.
    pub follow_up: bool,
}

/// Tells what a source made of a write from what was edited in it since.
///
/// `sent` is what was written, `before` what the copy held until then (`None`: there was none), `stored` what it holds now,
/// and `carried` the base of the copy if it had stored what it was sent.
pub fn absorb(
    sent: &Json,
    before: Option<&Json>,
    stored: &Json,
    carried: &Base,
    fields: &Fields,
    rules: &Rules,
) -> Absorbed {
    todo!("{sent:?} {before:?} {stored:?} {carried:?} {fields:?} {rules:?}")
}

/// Says whether `sent` holds a member that `shadow`, what the copy held before, does not.
pub fn adds_unseen_member(sent: &Json, shadow: Option<&Json>) -> bool {
    todo!("{sent:?} {shadow:?}")
}
