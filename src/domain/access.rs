//! Who may do what: the roles of those who come with a token, and to what a token may be limited.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::name::{EntityName, SourceName};

/// What somebody may do; each role may also do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Post notifications, and nothing else.
    Notify,
    /// See everything.
    View,
    /// Change everything.
    Operate,
}

/// A word that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a role is notify, view or operate, and {0:?} is not")]
pub struct UnknownRole(String);

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Notify, Self::View, Self::Operate];

    /// Returns the word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::View => "view",
            Self::Operate => "operate",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let named = Self::ALL.into_iter().find(|role| role.as_str() == text);
        named.ok_or_else(|| UnknownRole(text.chars().take(80).collect()))
    }
}

/// The SHA-256 of a token: all that is kept of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

/// Tells nothing: whoever reads a log should not even know which tokens are alike.
impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// The SHA-256 of what a browser holds that is signed in: all that is kept of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionHash(pub [u8; 32]);

/// Tells nothing, as that of a token.
impl fmt::Debug for SessionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionHash(..)")
    }
}

/// What the bearer of a token may do, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub role: Role,
    /// Of a token for notifications: the entities of which it may tell; empty: all.
    pub entities: BTreeSet<EntityName>,
    /// Likewise, the sources.
    pub sources: BTreeSet<SourceName>,
    /// Requests a second; at least 1.
    pub rate: u32,
}

impl Grant {
    /// Requests a second, where nothing else is said.
    pub const RATE: u32 = 10_000;

    /// The most requests a second that can be granted.
    pub const MAX_RATE: u32 = 1_000_000;

    /// Tells whether a notification of this copy may come with the token.
    pub fn covers(&self, entity: &EntityName, source: &SourceName) -> bool {
        (self.entities.is_empty() || self.entities.contains(entity))
            && (self.sources.is_empty() || self.sources.contains(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<T: FromStr<Err: fmt::Debug> + Ord>(names: &[&str]) -> BTreeSet<T> {
        names.iter().map(|name| name.parse().expect("a name")).collect()
    }

    #[track_caller]
    fn check(entities: &[&str], sources: &[&str], covered: &str) {
        let grant = Grant { role: Role::Notify, entities: names(entities), sources: names(sources), rate: 1 };
        let found: Vec<String> = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
            .iter()
            .filter(|(entity, source)| grant.covers(&entity.parse().expect("a name"), &source.parse().expect("a name")))
            .map(|(entity, source)| format!("{entity}{source}"))
            .collect();
        assert_eq!(found.join(" "), covered);
    }

    #[test]
    fn a_token_may_be_limited_to_entities_and_to_sources() {
        check(&[], &[], "ax ay bx by");
        check(&["a"], &[], "ax ay");
        check(&[], &["y"], "ay by");
        check(&["b"], &["y"], "by");
        check(&["a", "b"], &["x"], "ax bx");
        check(&["c"], &[], "");
    }

    #[test]
    fn a_hash_is_shown_nowhere() {
        assert_eq!(format!("{:?}", TokenHash([7; 32])), "TokenHash(..)");
    }

    #[test]
    fn a_role_may_do_what_the_lesser_ones_may() {
        assert!(Role::ALL.is_sorted());
        assert!(Role::Notify < Role::View && Role::View < Role::Operate);
    }

    #[test]
    fn roles_are_known_by_their_words_alone() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        let unknown: Result<Role, _> = "Operate".parse();
        assert_eq!(
            unknown.map_err(|error| error.to_string()),
            Err("a role is notify, view or operate, and \"Operate\" is not".to_owned())
        );
    }
}
