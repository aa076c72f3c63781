//! Who may do what: the roles of those who come with a token, and to what a token may be limited.

use std::fmt;
use std::str::FromStr;

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

#[cfg(test)]
mod tests {
    use super::*;

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
