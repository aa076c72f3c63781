//! The rules by which the documents of an entity are merged.

use std::collections::BTreeMap;

use super::Context;
use crate::config::file;
use crate::config::key_path::KeyPath;
use crate::config::suggestion::did_you_mean;
use crate::domain::name::SourceName;
use crate::domain::pointer::Pointer;
use crate::domain::rules::{ArrayRule, FieldRule, MergePolicy, OnDelete, Rules};
use crate::domain::text::Text;

/// Builds the rules out of their parts; policies may name the sources in `known` alone.
pub(super) fn rules(context: &mut Context<'_>, path: &KeyPath, entity: Parts, known: &Known) -> Rules {
    check_policy(context, &path.key("merge_policy"), &entity.merge_policy, known);
    Rules {
        merge_policy: entity.merge_policy,
        on_delete: entity.on_delete,
        fields: fields(context, &path.key("fields"), entity.fields, known),
        arrays: arrays(context, &path.key("arrays"), entity.arrays),
        matching: entity.matching,
    }
}

/// The sources of the entity.
pub(super) struct Known {
    /// The path of `sources`.
    pub(super) path: KeyPath,
    pub(super) names: Vec<SourceName>,
}

/// What of an entity makes its rules.
pub(super) struct Parts {
    pub(super) merge_policy: MergePolicy,
    pub(super) on_delete: OnDelete,
    pub(super) matching: Vec<Pointer>,
    pub(super) fields: BTreeMap<file::Parsed<Pointer>, file::Field>,
    pub(super) arrays: BTreeMap<file::Parsed<Pointer>, file::Array>,
}

fn fields(
    context: &mut Context<'_>,
    path: &KeyPath,
    fields: BTreeMap<file::Parsed<Pointer>, file::Field>,
    known: &Known,
) -> BTreeMap<Pointer, FieldRule> {
    let mut rules = BTreeMap::new();
    for (file::Parsed(pointer), field) in fields {
        let merge_policy = field.merge_policy.map(|file::Parsed(policy)| policy);
        if let Some(policy) = &merge_policy {
            check_policy(context, &path.key(&pointer.to_string()).key("merge_policy"), policy, known);
        }
        let equal = field.equal.map(|foldings| foldings.into_iter().map(|word| word.0).collect());
        rules.insert(pointer, FieldRule { merge_policy, equal, atomic: field.atomic });
    }
    rules
}

fn check_policy(context: &mut Context<'_>, path: &KeyPath, policy: &MergePolicy, known: &Known) {
    let named: &[SourceName] = match policy {
        MergePolicy::IgnoreConflicts | MergePolicy::AcceptAll | MergePolicy::RejectAll => &[],
        MergePolicy::TrustOnly(name) => std::slice::from_ref(name),
        MergePolicy::Prefer(names) => names,
    };
    let is_written = |name: &SourceName| context.places.mentions(&known.path.key(name.as_str()));
    let missing: Vec<_> = named.iter().filter(|name| !known.names.contains(name) && !is_written(name)).collect();
    for name in missing {
        let guess = did_you_mean(name.as_str(), known.names.iter().map(SourceName::as_str));
        context.error(path, format!("the entity has no source \"{name}\"{guess}"));
    }
}

fn arrays(
    context: &mut Context<'_>,
    path: &KeyPath,
    arrays: BTreeMap<file::Parsed<Pointer>, file::Array>,
) -> BTreeMap<Pointer, ArrayRule> {
    let mut rules = BTreeMap::new();
    for (file::Parsed(pointer), array) in arrays {
        let path = path.key(&pointer.to_string());
        match (array.key, array.set) {
            (Some(key), false) => drop(rules.insert(pointer, ArrayRule::Key(Text::from(key.as_str())))),
            (None, true) => drop(rules.insert(pointer, ArrayRule::Set)),
            (Some(_), true) => context.error(&path, "expected either key or set = true, found both"),
            (None, false) if context.places.mentions(&path.key("key")) => {}
            (None, false) => context.error(&path, "expected either key or set = true, found neither"),
        }
    }
    rules
}
