//! Reclaiming: a record that comes back may find that a copy of it was never gone.

use crate::domain::json::Json;
use crate::domain::key::ForeignKey;
use crate::domain::merge;
use crate::domain::record::{Base, Link, LinkState, Reading};

use super::Traits;

/// A copy that a record had when it was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    pub key: ForeignKey,
    /// What it held when it was last known to be there.
    pub document: Option<Json>,
}

/// Returns the link by which a copy takes part again, if it is there under its former key, or may be.
///
/// It is there if it holds what it held when it was last seen: another document is another item, which was given the same key.
/// While its source cannot be asked, or answers nothing that can be understood, it may be there, and nothing is created beside it;
/// nothing is known of what it holds, so that its absence is no removal.
pub fn reclaim(link: &Link, gone: &Gone, reading: &Reading, traits: &Traits) -> Option<Link> {
    let may_be_there = match reading {
        Reading::Present(found) => match &gone.document {
            Some(document) => found == document || merge::restrict(found, &traits.fields).as_ref() == Some(document),
            None => false,
        },
        Reading::Unreachable(_) | Reading::Broken(_) => true,
        Reading::Missing => false,
    };
    let is_free = link.state == LinkState::Unlinked && link.open.is_none();
    (is_free && may_be_there).then(|| Link {
        state: LinkState::Linked,
        key: Some(gone.key.clone()),
        base: Base::default(),
        ..link.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: Option<&str>, reading: Reading, is_reclaimed: bool) {
        let json = |text: &str| Json::parse(text.as_bytes()).unwrap();
        let gone = Gone { key: "k".parse().unwrap(), document: document.map(json) };
        let traits = Traits { fields: Some(["/n".parse().unwrap()].into()), ..Traits::default() };
        let link = reclaim(&Link::unlinked(), &gone, &reading, &traits);
        assert_eq!(
            link.as_ref().and_then(|link| link.key.clone()),
            is_reclaimed.then(|| gone.key.clone()),
            "{reading:?}"
        );
        let detached = Link { state: LinkState::Detached, ..Link::unlinked() };
        assert_eq!(reclaim(&detached, &gone, &reading, &traits), None);
    }

    fn present(text: &str) -> Reading {
        Reading::Present(Json::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn a_copy_that_holds_what_it_held_is_reclaimed_and_another_item_under_its_key_is_not() {
        check(Some(r#"{"n":1}"#), present(r#"{"n":1.0}"#), true);
        check(Some(r#"{"n":1}"#), present(r#"{"n":1,"own":2}"#), true);
        check(Some(r#"{"n":1,"own":2}"#), present(r#"{"n":1,"own":2}"#), true);
        check(Some(r#"{"n":1}"#), present(r#"{"n":2}"#), false);
        check(None, present(r#"{"n":1}"#), false);
        check(Some(r#"{"n":1}"#), Reading::Missing, false);
    }

    #[test]
    fn a_copy_of_which_nothing_can_be_told_may_be_there() {
        for document in [Some(r#"{"n":1}"#), None] {
            check(document, Reading::Unreachable("no route".to_owned()), true);
            check(document, Reading::Broken("no JSON".to_owned()), true);
        }
    }
}
