//! What happens, in words for those who follow it.

macro_rules! kinds {
    ($($(#[$doc:meta])+ $name:ident = $word:literal,)+) => {
        /// A kind of event; docs/api.md says what each tells.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum EventKind {
            $($(#[$doc])+ $name,)+
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Returns its word.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

kinds! {
    /// A record has another version.
    Sync = "sync",
    /// A write to a copy took effect.
    Written = "written",
    /// A conflict was opened.
    Conflict = "conflict",
    /// The values of an open conflict moved.
    ConflictMoved = "conflict-moved",
    /// A conflict is open no more.
    ConflictClosed = "conflict-closed",
    /// Nobody knows whether a write took effect.
    InDoubt = "in-doubt",
    /// It is known what became of a write.
    DoubtSettled = "doubt-settled",
    /// A work item is not tried any more.
    Parked = "parked",
    /// Deletions of a source began to be held.
    DeletesHeld = "deletes-held",
    /// A source cannot be reached.
    SourceDown = "source-down",
    /// A source can be reached again.
    SourceUp = "source-up",
    /// The database could not be reached; told when it can be.
    DatabaseDown = "database-down",
    /// The database can be reached again.
    DatabaseUp = "database-up",
    /// An actor failed.
    ActorFailed = "actor-failed",
    /// An actor is up again after a failure.
    ActorStarted = "actor-started",
    /// An actor failed too often.
    ActorGaveUp = "actor-gave-up",
    /// Another configuration is in force.
    ConfigApplied = "config-applied",
    /// The configuration file has a mistake.
    ConfigRejected = "config-rejected",
}

impl EventKind {
    /// Returns the kind of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::EventKind;

    #[test]
    fn every_kind_is_explained_to_users() {
        let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md"));
        for kind in EventKind::ALL {
            let row = format!("| `{}` | ", kind.as_str());
            assert!(page.lines().any(|line| line.starts_with(&row)), "docs/api.md has no row {row:?}");
            assert_eq!(EventKind::of_word(kind.as_str()), Some(*kind));
        }
    }
}
