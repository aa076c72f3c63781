//! Conflicts and versions in the words of people who have never seen retcon.

use super::parts::{Cell, grouped, visible};
use crate::domain::history::Version;
use crate::domain::json::Json;
use crate::domain::merge::{Change, Conflict, ConflictKind, Decision};
use crate::domain::name::SourceName;
use crate::domain::pointer::Pointer;
use crate::domain::text::Text;

/// What stands between the names that lead to a place.
const STEP: &str = " › ";

/// Names a place in a document: the names that lead there. So all pages spell it.
pub(super) fn place(pointer: &Pointer) -> String {
    if pointer.is_root() {
        return "the whole record".to_owned();
    }
    let name = |name: &Text| match &*name.to_string_lossy() {
        "" => "\"\"".to_owned(),
        name => visible(name),
    };
    pointer.tokens().iter().map(name).collect::<Vec<_>>().join(STEP)
}

/// Reads a place as pages spell it, or as it stands in the configuration; `None` if it can be none.
pub(super) fn read_place(text: &str) -> Option<Pointer> {
    if text.starts_with('/') {
        return text.parse().ok();
    }
    Some(text.split(STEP.trim()).fold(Pointer::root(), |place, name| place.child(&name.trim().into())))
}

/// Names sources: `ad, crm and hr`.
pub(super) fn names(sources: &[SourceName]) -> String {
    let names: Vec<&str> = sources.iter().map(SourceName::as_str).collect();
    match names.split_last() {
        None => "nobody".to_owned(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// A kind of conflict in a few words, for a badge.
pub(super) fn kind(kind: ConflictKind) -> &'static str {
    match kind {
        ConflictKind::EditEdit => "changed differently",
        ConflictKind::EditDelete => "changed and removed",
        ConflictKind::Held => "left to a person",
        ConflictKind::Match => "looks like another",
        ConflictKind::Schema => "breaks the schema",
        ConflictKind::Oscillation => "undone again and again",
    }
}

/// The word of the API for a kind of conflict, as it stands in addresses.
pub(super) fn kind_in_addresses(kind: ConflictKind) -> &'static str {
    match kind {
        ConflictKind::EditEdit => "edit-edit",
        ConflictKind::EditDelete => "edit-delete",
        ConflictKind::Held => "held",
        ConflictKind::Match => "match",
        ConflictKind::Schema => "schema",
        ConflictKind::Oscillation => "oscillation",
    }
}

pub(super) const KINDS: [ConflictKind; 6] = [
    ConflictKind::EditEdit,
    ConflictKind::EditDelete,
    ConflictKind::Held,
    ConflictKind::Match,
    ConflictKind::Schema,
    ConflictKind::Oscillation,
];

/// Says in a sentence or two why a conflict arose.
pub(super) fn why(conflict: &Conflict) -> String {
    let all: Vec<SourceName> = conflict.contenders.iter().flat_map(|contender| &contender.sources).cloned().collect();
    let lacking: Vec<SourceName> = conflict
        .contenders
        .iter()
        .filter(|contender| contender.value.is_none())
        .flat_map(|contender| &contender.sources)
        .cloned()
        .collect();
    let having: Vec<SourceName> = all.iter().filter(|name| !lacking.contains(name)).cloned().collect();
    let what = if conflict.path.is_root() { "the record" } else { "this field" };
    match conflict.kind {
        ConflictKind::EditEdit if conflict.contenders.len() < 2 => format!(
            "{} changed {what} without having seen that it had been changed to something else meanwhile.",
            names(&all)
        ),
        ConflictKind::EditEdit => {
            format!(
                "{} have changed {what}, each to something else, and none had seen what the other did.",
                names(&all)
            )
        }
        ConflictKind::EditDelete if having.is_empty() => {
            format!("{} removed {what} while it was changed elsewhere.", names(&lacking))
        }
        ConflictKind::EditDelete => {
            format!("{} removed {what}; {} changed it meanwhile.", names(&lacking), names(&having))
        }
        ConflictKind::Held => format!(
            "{} changed {what}, and the configuration has every such change wait for a person (merge_policy or on_delete).",
            names(&all)
        ),
        ConflictKind::Match => format!(
            "{} shows a new item that is, by its match fields, a record which has another item there already.",
            names(&all)
        ),
        ConflictKind::Schema => {
            format!("What {} say would make a document that breaks the schema of this entity.", names(&all))
        }
        ConflictKind::Oscillation => {
            format!("{} kept undoing each other's changes here, until retcon stopped it.", names(&all))
        }
    }
}

/// Says who led to a version.
pub(super) fn who(version: &Version) -> String {
    let number = |name: &str| version.cause.member(name).map(ToString::to_string).unwrap_or_default();
    match version.cause.member("kind").and_then(Json::as_text).and_then(|text| text.as_str()) {
        Some("resolution") if version.cause.member("batch").is_some() => {
            "A person decided many conflicts at once".to_owned()
        }
        Some("resolution") => "A person decided a conflict".to_owned(),
        Some("undo") => format!("A person took version {} back", number("version")),
        Some(_) | None => {
            let mut sources: Vec<SourceName> =
                version.changes.iter().flat_map(|change| &change.sources).cloned().collect();
            sources.sort();
            sources.dedup();
            match &sources[..] {
                [] => "Brought in step".to_owned(),
                _ => format!("Changed by {}", names(&sources)),
            }
        }
    }
}

/// Says what a person's word on a conflict means.
pub(super) fn decision(decision: &Decision) -> String {
    match decision {
        Decision::Take(source) => format!("take what {source} holds"),
        Decision::Value(value) => format!("take {value}"),
        Decision::Absent => "remove it everywhere".to_owned(),
        Decision::Keep => "keep what is agreed".to_owned(),
    }
}

/// Says how many there are of something.
pub(super) fn count(number: i64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {many}", grouped(number)) }
}

/// A change as it is shown: its place, what stood there, and what stands there from then on.
pub(super) fn change(change: &Change) -> (String, Cell, Cell) {
    let cell = |value: Option<&Json>| match value {
        None if change.path.is_root() => Cell::no_document(),
        value => Cell::of_field(value),
    };
    (place(&change.path), cell(change.before.as_ref()), cell(change.after.as_ref()))
}

/// What a side of a conflict says, as it is shown.
pub(super) fn side(path: &Pointer, value: Option<&Json>) -> Cell {
    match value {
        None if path.is_root() => Cell::no_document(),
        value => Cell::of_field(value),
    }
}

/// The beginning of a value, on one line.
pub(super) fn glance(value: Option<&Json>) -> String {
    const LONG: usize = 60;
    let Some(value) = value else { return "nothing there".to_owned() };
    let text = value.to_string();
    match text.char_indices().nth(LONG) {
        Some((end, _)) => format!("{}…", visible(&text[..end])),
        None => visible(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::merge::Contender;

    fn source(name: &str) -> SourceName {
        name.parse().expect("a name")
    }

    fn conflict(kind: ConflictKind, path: &str, contenders: &[(&str, Option<i64>)]) -> Conflict {
        let contender = |(name, value): &(&str, Option<i64>)| Contender {
            sources: vec![source(name)],
            value: value.map(Json::from),
        };
        let contenders = contenders.iter().map(contender).collect();
        Conflict { path: path.parse().expect("a pointer"), kind, agreed: None, contenders }
    }

    #[test]
    fn every_kind_is_explained_by_who_did_what() {
        for each in KINDS {
            let text = why(&conflict(each, "/x", &[("crm", Some(1)), ("billing", None)]));
            assert!(text.contains("crm") && text.ends_with(['.', ')']), "{text}");
        }
        let text = why(&conflict(ConflictKind::EditDelete, "", &[("crm", None), ("billing", Some(1))]));
        assert_eq!(text, "crm removed the record; billing changed it meanwhile.");
        let text = why(&conflict(ConflictKind::EditDelete, "", &[("crm", None)]));
        assert_eq!(text, "crm removed the record while it was changed elsewhere.");
    }

    #[test]
    fn places_and_sources_are_named_as_people_name_them() {
        let pointer = |text: &str| text.parse::<Pointer>().expect("a pointer");
        for (place_in, spelt) in [("/address/a~1b", "address › a/b"), ("/phones/0", "phones › 0")] {
            assert_eq!(place(&pointer(place_in)), spelt);
            assert_eq!(read_place(spelt), Some(pointer(place_in)));
            assert_eq!(read_place(place_in), Some(pointer(place_in)));
        }
        assert_eq!(place(&pointer("/a/")), "a › \"\"");
        assert_eq!(place(&pointer("/a\u{202e}")), "a\\u202E");
        assert_eq!(read_place("/a~7"), None);
        assert_eq!(names(&[source("ad"), source("crm"), source("hr")]), "ad, crm and hr");
        assert_eq!((names(&[source("ad")]).as_str(), names(&[]).as_str()), ("ad", "nobody"));
        assert_eq!(glance(Some(&Json::from("x".repeat(80)))).chars().count(), 61);
    }
}
