//! The form in which `retcon merge` is asked and answers (docs/merging.md).

use crate::domain::json::{Json, JsonError};
use crate::domain::pointer::Pointer;

/// What a run gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// What goes to standard output.
    pub answer: Json,
    /// What a person should know and need not act on; they are no part of the answer.
    pub warnings: Vec<String>,
}

/// What is wrong with the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It is no JSON.
    #[error("cannot read the input")]
    Json(#[source] JsonError),
    /// Something in it is not as expected.
    #[error("cannot use the input: at {place:?}: expected {expected}, found {found}")]
    Form {
        place: Pointer,
        expected: String,
        found: String,
        /// The word that was meant, perhaps.
        nearest: Option<String>,
    },
}

/// Merges what the input describes.
///
/// # Errors
/// What is wrong with the input; never an outcome of the merge.
pub fn run(input: &[u8]) -> Result<Ran, WireError> {
    todo!("{input:?}")
}
