//! Where actors stand.

use std::cmp::Ordering;
use std::fmt;

use crate::domain::name::{EntityName, SourceName};

/// Where an actor stands in the tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ActorPath {
    Supervisor,
    Store,
    Leases,
    Reloader,
    Entity(EntityName),
    Source(EntityName, SourceName),
}

impl ActorPath {
    fn place(&self) -> (u8, Option<&EntityName>, Option<&SourceName>) {
        match self {
            Self::Supervisor => (0, None, None),
            Self::Store => (1, None, None),
            Self::Leases => (2, None, None),
            Self::Reloader => (3, None, None),
            Self::Entity(entity) => (4, Some(entity), None),
            Self::Source(entity, source) => (4, Some(entity), Some(source)),
        }
    }
}

/// Paths are in the order of the tree: a source follows its entity.
impl Ord for ActorPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl PartialOrd for ActorPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Writes it as logs do: `store`, `leases`, `customer`, `customer/crm`.
impl fmt::Display for ActorPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Supervisor => f.write_str("supervisor"),
            Self::Store => f.write_str("store"),
            Self::Leases => f.write_str("leases"),
            Self::Reloader => f.write_str("reloader"),
            Self::Entity(entity) => write!(f, "{entity}"),
            Self::Source(entity, source) => write!(f, "{entity}/{source}"),
        }
    }
}
