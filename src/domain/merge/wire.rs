//! The form in which `retcon merge` is asked and answers (docs/merging.md).

mod form;
mod reader;

use crate::domain::json::{Json, JsonError};
use crate::domain::name::SourceName;
use crate::domain::pointer::Pointer;
use crate::domain::record::RecordState;

use super::{Action, Answer, Change, Conflict, ConflictKind, Contender, Outcome, Overruled, merge};
use form::Form;

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
    #[error("cannot read the input as JSON")]
    Json(#[source] JsonError),
    /// Something in it is not as expected.
    #[error("cannot use the input: at \"{place}\": expected {expected}, found {found}{}", meant(nearest.as_deref()))]
    Form {
        place: Pointer,
        expected: String,
        found: String,
        /// The word that was meant, perhaps.
        nearest: Option<String>,
    },
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|word| format!(", did you mean \"{word}\"?")).unwrap_or_default()
}

/// Merges what the input describes.
///
/// # Errors
/// What is wrong with the input; never an outcome of the merge.
pub fn run(input: &[u8]) -> Result<Ran, WireError> {
    let input = Json::parse(input).map_err(WireError::Json)?;
    let form = Form::read(&input)?;
    let answer = merge(&form.question());
    Ok(Ran { answer: show(&answer), warnings: answer.warnings })
}

/// Shows an answer, without what the daemon alone needs.
fn show(answer: &Answer) -> Json {
    let state = match answer.state {
        RecordState::Live => "live",
        RecordState::Deleted => "deleted",
    };
    let sources = answer.copies.iter().map(|(name, outcome)| (name.as_str().into(), show_action(outcome)));
    object([
        ("state", Some(state.into())),
        ("agreed", answer.agreed.clone()),
        ("patch", Some(list(&answer.patch, Change::to_patch_entry))),
        ("sources", Some(Json::Object(sources.collect()))),
        ("conflicts", Some(list(&answer.conflicts, show_conflict))),
        ("overruled", Some(list(&answer.overruled, show_overruled))),
    ])
}

fn show_action(outcome: &Outcome) -> Json {
    let (action, document) = match &outcome.action {
        Action::None => ("none", None),
        Action::Update(document) => ("update", Some(document)),
        Action::Create(document) => ("create", Some(document)),
        Action::Delete => ("delete", None),
        Action::Unlink => ("unlink", None),
        Action::Later => ("later", None),
    };
    object([("action", Some(action.into())), ("document", document.cloned())])
}

fn show_conflict(conflict: &Conflict) -> Json {
    let kind = match conflict.kind {
        ConflictKind::EditEdit => "edit-edit",
        ConflictKind::EditDelete => "edit-delete",
        ConflictKind::Held => "held",
        ConflictKind::Match => "match",
        ConflictKind::Schema => "schema",
        ConflictKind::Oscillation => "oscillation",
    };
    object([
        ("path", Some(conflict.path.to_json())),
        ("kind", Some(kind.into())),
        ("agreed", conflict.agreed.clone()),
        ("contenders", Some(list(&conflict.contenders, show_contender))),
    ])
}

fn show_contender(contender: &Contender) -> Json {
    let name = |name: &SourceName| Json::from(name.as_str());
    let (value, absent) = held(contender.value.as_ref());
    object([("sources", Some(list(&contender.sources, name))), ("value", value), ("absent", absent)])
}

fn show_overruled(overruled: &Overruled) -> Json {
    let (value, absent) = held(overruled.value.as_ref());
    let source = overruled.source.as_str();
    object([
        ("path", Some(overruled.path.to_json())),
        ("source", Some(source.into())),
        ("value", value),
        ("absent", absent),
    ])
}

/// Returns the members `value` and `absent`, of which one is there.
fn held(value: Option<&Json>) -> (Option<Json>, Option<Json>) {
    (value.cloned(), value.is_none().then_some(Json::Bool(true)))
}

fn list<T>(items: &[T], show: impl Fn(&T) -> Json) -> Json {
    items.iter().map(show).collect()
}

/// Makes an object of the members that are there.
fn object<const N: usize>(members: [(&str, Option<Json>); N]) -> Json {
    Json::Object(members.into_iter().filter_map(|(name, value)| Some((name.into(), value?))).collect())
}

#[cfg(test)]
mod tests;
