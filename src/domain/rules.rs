//! The rules of an entity by which its documents are merged (docs/merging.md).

use std::collections::BTreeMap;
use std::str::FromStr;

use super::name::SourceName;
use super::pointer::Pointer;
use super::text::Text;

/// What becomes of a change, and of a contradiction between changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MergePolicy {
    #[default]
    IgnoreConflicts,
    AcceptAll,
    RejectAll,
    TrustOnly(SourceName),
    Prefer(Vec<SourceName>),
}

/// A text that names no merge policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected ignore-conflicts, accept-all, reject-all, trust-only:SOURCE or prefer:SOURCE,SOURCE,..., found {0:?}"
)]
pub struct InvalidPolicy(String);

impl FromStr for MergePolicy {
    type Err = InvalidPolicy;

    fn from_str(text: &str) -> Result<Self, InvalidPolicy> {
        let source = |name: &str| name.trim().parse::<SourceName>().map_err(|_| InvalidPolicy(text.to_owned()));
        match (text, text.split_once(':')) {
            ("ignore-conflicts", _) => Ok(Self::IgnoreConflicts),
            ("accept-all", _) => Ok(Self::AcceptAll),
            ("reject-all", _) => Ok(Self::RejectAll),
            (_, Some(("trust-only", name))) => Ok(Self::TrustOnly(source(name)?)),
            (_, Some(("prefer", names))) => Ok(Self::Prefer(names.split(',').map(source).collect::<Result<_, _>>()?)),
            (_, Some(_) | None) => Err(InvalidPolicy(text.to_owned())),
        }
    }
}

/// What an accepted removal does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDelete {
    #[default]
    Propagate,
    Recreate,
    Unlink,
    Hold,
}

/// A way in which two spellings of a string count as the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Folding {
    Trim,
    Casefold,
    Nfc,
}

/// What is said of a pointer and of all below it; what is left out comes from the longest shorter prefix that says it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldRule {
    pub merge_policy: Option<MergePolicy>,
    pub equal: Option<Vec<Folding>>,
    pub atomic: bool,
}

/// How the array at a pointer is merged; without a rule it is one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArrayRule {
    /// Its elements are objects, known by this string member.
    Key(Text),
    /// Its elements are a set.
    Set,
}

/// The rules of an entity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    pub merge_policy: MergePolicy,
    pub on_delete: OnDelete,
    pub fields: BTreeMap<Pointer, FieldRule>,
    pub arrays: BTreeMap<Pointer, ArrayRule>,
    /// A new item equal in all of these places is the same record; empty: never.
    pub matching: Vec<Pointer>,
}

/// The part of the document that a source holds; `None`: all of it.
pub type Fields = Option<Vec<Pointer>>;
