//! `[entities.NAME]`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Context;
use super::rules::{Known, Parts, rules};
use super::source::source;
use crate::config::duration;
use crate::config::file::{self, Parsed};
use crate::config::inputs::Inputs;
use crate::config::key_path::KeyPath;
use crate::config::model::{Entity, Limit, Reconcile, Retry, Schema, Source, Throttle};
use crate::config::schema::form::quote;
use crate::domain::name::{EntityName, SourceName};

/// Builds an entity.
pub(super) fn entity(context: &mut Context<'_>, name: EntityName, entity: file::Entity) -> Entity {
    let path = KeyPath::of(["entities", name.as_str()]);
    let names = entity.sources.keys().map(|Parsed(name)| name.clone()).collect();
    let known = Known { path: path.key("sources"), names };
    let parts = Parts {
        merge_policy: entity.merge_policy.0,
        on_delete: entity.on_delete.0,
        matching: entity.matching.into_iter().map(|Parsed(pointer)| pointer).collect(),
        fields: entity.fields,
        arrays: entity.arrays,
    };
    Entity {
        description: entity.description,
        schema: schema(context, &path.key("schema"), &entity.schema),
        mode: entity.mode.0,
        rules: rules(context, &path, parts, &known),
        delete_after: entity.delete_after.0,
        max_deletes: limit(entity.max_deletes),
        max_changes: limit(entity.max_changes),
        throttle: throttle(entity.throttle),
        retry: retry(context, &path.key("retry"), &entity.retry),
        reconcile: Reconcile {
            every: Some(entity.reconcile.every.0).filter(|every| *every > Duration::ZERO),
            mode: entity.reconcile.mode.0,
        },
        sources: sources(context, entity.sources, &known),
        name,
    }
}

fn limit(limit: file::Limit) -> Limit {
    Limit { count: limit.count, per: limit.per.0 }
}

fn throttle(throttle: file::Throttle) -> Throttle {
    Throttle { rate: throttle.rate, burst: throttle.burst, in_flight: throttle.in_flight }
}

fn retry(context: &mut Context<'_>, path: &KeyPath, retry: &file::Retry) -> Retry {
    let (first, max) = (retry.first.0, retry.max.0);
    if first > max {
        let message = format!("first ({}) is longer than max ({})", duration::display(first), duration::display(max));
        let written = if context.places.mentions(&path.key("first")) { path.key("first") } else { path.key("max") };
        context.error(&written, message);
    }
    Retry { first, max, attempts: retry.attempts }
}

fn sources(
    context: &mut Context<'_>,
    sources: BTreeMap<Parsed<SourceName>, file::Source>,
    known: &Known,
) -> BTreeMap<SourceName, Arc<Source>> {
    let path = &known.path;
    match known.names.as_slice() {
        [] if !context.places.mentions_below(path) => {
            let entity = path.parent().unwrap_or_default();
            context.error(&entity, "the entity has no source: there is nothing to keep in step");
        }
        [only] => {
            let message = "the entity has this source alone: there is nothing to keep in step with";
            context.warn(&path.key(only.as_str()), message, None);
        }
        [] | [_, _, ..] => {}
    }
    check_former_names(context, &sources, known);
    let built = sources.into_iter().filter_map(|(Parsed(name), file)| {
        let source = source(context, &path.key(name.as_str()), name.clone(), file)?;
        Some((name, Arc::new(source)))
    });
    built.collect()
}

fn check_former_names(context: &mut Context<'_>, sources: &BTreeMap<Parsed<SourceName>, file::Source>, known: &Known) {
    let mut taken = BTreeMap::new();
    for (Parsed(name), source) in sources.iter().filter(|(_, source)| !source.renamed_from.is_empty()) {
        let path = known.path.key(name.as_str()).key("renamed_from");
        let former = source.renamed_from.as_str();
        if known.names.iter().any(|name| name.as_str() == former) {
            let message =
                format!("the entity still has a source {}; a former name is one that is no longer used", quote(former));
            context.error(&path, message);
        }
        if let Some(other) = taken.insert(former, name) {
            context.error(&path, format!("{} has been renamed to {} already", quote(former), quote(other.as_str())));
        }
    }
}

fn schema(context: &mut Context<'_>, path: &KeyPath, written: &str) -> Option<Schema> {
    if written.is_empty() {
        return None;
    }
    let file = context.absolute(written);
    let shown = quote(&file.to_string_lossy());
    match read_schema(&file, context.inputs) {
        Ok(value) => Some(Schema { path: file, value }),
        Err(why) => {
            context.error(path, format!("cannot use {shown} as a JSON Schema: {why}"));
            None
        }
    }
}

/// Returns the schema, or what is wrong with it; nothing else than the file is read, whatever the schema refers to.
fn read_schema(file: &Path, inputs: &mut Inputs) -> Result<serde_json::Value, String> {
    let text = inputs.read(file).map_err(|error| error.to_string())?;
    let value = serde_json::from_slice(&text).map_err(|error| format!("it is not JSON: {error}"))?;
    jsonschema::validator_for(&value).map_err(|error| one_line(&error.to_string()))?;
    Ok(value)
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ").chars().take(300).collect()
}
