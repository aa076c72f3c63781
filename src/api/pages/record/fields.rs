//! The fields of a record: what is agreed, and what each copy holds, beside each other.

use super::sources;
use crate::api::pages::parts::Cell;
use crate::api::pages::words;
use crate::config::model::{Entity, Source};
use crate::domain::comparison::{Row, beside};
use crate::domain::json::Json;
use crate::domain::pointer::Pointer;
use crate::domain::record::{Known, Link, LinkState};
use crate::domain::spelling::same;

/// So many fields are shown.
const SHOWN: usize = 300;

/// A place in the documents.
pub(super) struct Field {
    pub(super) name: String,
    /// The number of the open conflict there.
    pub(super) conflict: Option<i64>,
    pub(super) differs: bool,
    pub(super) agreed: Cell,
    pub(super) values: Vec<Value>,
}

/// What a copy holds there.
pub(super) struct Value {
    pub(super) source: String,
    pub(super) cell: Cell,
    pub(super) differs: bool,
}

/// Of what a copy is known to hold at a place.
enum Held<'v> {
    NoCopy,
    /// There is a copy, and it was not read yet.
    NotRead,
    /// The source does not have such fields here.
    Outside,
    Nothing,
    Value(&'v Json),
}

/// Gives the fields, and how many more there are. Where there are too many, those that differ come first.
pub(super) fn fields(entity: &Entity, known: &Known) -> (Vec<Field>, usize) {
    let sources = sources(entity, known);
    let agreed = known.record.agreed.as_ref();
    let documents = sources.iter().map(|name| known.links.get(name).and_then(document));
    let rows = beside(std::iter::once(agreed).chain(documents).collect(), &entity.rules);
    let mut fields: Vec<Field> = rows
        .iter()
        .map(|row| {
            let held = sources.iter().enumerate().map(|(n, name)| {
                let held = held(known.links.get(name), entity.sources.get(name).map(|source| &**source), row, n + 1);
                (name.to_string(), held)
            });
            field(entity, known, row, held.collect())
        })
        .collect();
    if fields.len() > SHOWN {
        fields.sort_by_key(|field| !field.differs);
    }
    let left_out = fields.len().saturating_sub(SHOWN);
    fields.truncate(SHOWN);
    (fields, left_out)
}

/// What a copy is known to hold: its last reading, if that was kept, or what it held when it was last dealt with.
fn document(link: &Link) -> Option<&Json> {
    match link.state {
        LinkState::Linked => link.last.as_ref().or(link.base.shadow.as_ref()),
        LinkState::Unlinked | LinkState::Detached => None,
    }
}

fn held<'v>(link: Option<&Link>, source: Option<&Source>, row: &Row<'v>, column: usize) -> Held<'v> {
    let Some(link) = link.filter(|link| link.state == LinkState::Linked) else { return Held::NoCopy };
    let is_unknown =
        |at: &Pointer| link.last.is_none() && link.base.unknown.iter().any(|unknown| at.starts_with(unknown));
    match row.values[column] {
        Some(value) => Held::Value(value),
        None if is_unknown(&row.at) => Held::NotRead,
        None if document(link).is_none() => Held::NoCopy,
        None if source.is_some_and(|source| is_outside(source, &row.at)) => Held::Outside,
        None => Held::Nothing,
    }
}

fn is_outside(source: &Source, at: &Pointer) -> bool {
    source.fields.as_ref().is_some_and(|fields| !fields.iter().any(|field| field.touches(at)))
}

fn field(entity: &Entity, known: &Known, row: &Row<'_>, held: Vec<(String, Held<'_>)>) -> Field {
    let agreed = row.values[0];
    let value = |(source, held): (String, Held<'_>)| {
        let (cell, differs) = match held {
            Held::NoCopy => (Cell::no_document(), false),
            Held::NotRead => (Cell::word("not read yet"), false),
            Held::Outside => (Cell::word("not kept there"), false),
            Held::Nothing => (Cell::no_field(), agreed.is_some()),
            Held::Value(value) => (Cell::of(value), !same(Some(value), agreed, &row.at, &entity.rules)),
        };
        Value { source, cell, differs }
    };
    let values: Vec<Value> = held.into_iter().map(value).collect();
    let conflict = known.conflicts.iter().find(|open| row.at.starts_with(&open.conflict.path));
    Field {
        name: words::place(&row.at),
        conflict: conflict.map(|open| open.id),
        differs: values.iter().any(|value| value.differs),
        agreed: match (&known.record.agreed, agreed) {
            (_, Some(value)) => Cell::of(value),
            (Some(_), None) => Cell::no_field(),
            (None, None) => Cell::no_document(),
        },
        values,
    }
}
