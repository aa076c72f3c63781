//! What a policy says where sources made news.

use crate::domain::name::SourceName;
use crate::domain::rules::MergePolicy;

/// A source that made news, and the side on which it stands: those with one value stand on one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newsmaker<'a> {
    pub(super) name: &'a SourceName,
    pub(super) side: usize,
}

/// What becomes of the news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ruling {
    /// This side wins.
    Side(usize),
    /// What is agreed stays, and all news is overruled.
    Stays,
    /// It is left to a person, because sources contradict each other.
    Contradiction,
    /// It is left to a person, because every change is.
    Held,
}

/// Applies a policy to news; `newsmakers` is not empty and sorted by name.
///
/// `contradicted` says that there is more than one candidate. With `first_sight` a trusted source that has no news does
/// not overrule the others: it has no copy yet.
pub(super) fn rule(
    policy: &MergePolicy,
    newsmakers: &[Newsmaker<'_>],
    contradicted: bool,
    first_sight: bool,
) -> Ruling {
    let named = |name: &SourceName| newsmakers.iter().find(|newsmaker| newsmaker.name == name);
    let sole = newsmakers.first().filter(|_| !contradicted);
    let sole = sole.map_or(Ruling::Contradiction, |newsmaker| Ruling::Side(newsmaker.side));
    match policy {
        MergePolicy::IgnoreConflicts => sole,
        MergePolicy::AcceptAll => newsmakers.last().map_or(sole, |newsmaker| Ruling::Side(newsmaker.side)),
        MergePolicy::RejectAll => Ruling::Held,
        MergePolicy::TrustOnly(trusted) => match named(trusted) {
            Some(newsmaker) => Ruling::Side(newsmaker.side),
            None if first_sight => sole,
            None => Ruling::Stays,
        },
        MergePolicy::Prefer(names) if contradicted => {
            names.iter().find_map(named).map_or(sole, |newsmaker| Ruling::Side(newsmaker.side))
        }
        MergePolicy::Prefer(_) => sole,
    }
}
