//! The walk over the places of a document, member by member, of all sources at once.

use std::collections::BTreeSet;

use crate::domain::json::Json;
use crate::domain::name::SourceName;
use crate::domain::pointer::Pointer;
use crate::domain::text::Text;

use super::bases::{Dealt, Marks};
use super::gather::{Frame, Gathered};
use super::guide::{Signs, members, shape};
use super::piece::{Members, Piece, Seeker, Shape};
use super::site::{Opened, Site};
use super::{Change, Conflict, Overruled};

/// One walk, and what it has found so far.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    /// The sources that take part, sorted by name; sites stand in the same order.
    pub(super) parties: Vec<Party<'a>>,
    /// The sources that lack the record: what a person takes from them is absence.
    pub(super) lacking: BTreeSet<&'a SourceName>,
    /// Nothing is agreed yet: a trusted source without a copy does not overrule the others.
    pub(super) first_sight: bool,
    pub(super) path: Vec<&'a Text>,
    pub(super) found: Found,
}

/// What a walk comes upon.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) conflicts: Vec<Conflict>,
    pub(super) overruled: Vec<Overruled>,
    pub(super) changes: Vec<Change>,
    pub(super) decided: Vec<Pointer>,
    pub(super) warnings: Vec<String>,
}

/// A source that takes part.
#[derive(Debug)]
pub(super) struct Party<'a> {
    pub(super) name: &'a SourceName,
    /// It contends with what was last read, and cannot be written.
    pub(super) away: bool,
    /// It made news somewhere.
    pub(super) news: bool,
    pub(super) marks: Marks,
}

/// What came out at a place.
#[derive(Debug)]
pub(super) struct Verdict<'a> {
    /// What is agreed there from now on.
    pub(super) agreed: Option<Piece<'a>>,
    /// What becomes of each copy there, in the order of the parties; those left out at the end are in step.
    pub(super) dealt: Vec<Dealt<'a>>,
}

impl<'a> Walk<'a> {
    /// Merges one place and all below it.
    pub(super) fn visit(&mut self, signs: &Signs<'a>, agreed: Option<&'a Json>, sites: &[Site<'a>]) -> Verdict<'a> {
        if agreed.is_some() && sites.iter().all(|site| site.is_aside() || site.reads_exactly(agreed)) {
            return Verdict { agreed: agreed.map(Piece::Shared), dealt: Vec::new() };
        }
        if signs.keyed() {
            self.warn_of_unkeyed(signs, agreed, sites);
        }
        match self.way_down(signs, agreed, sites) {
            Some(Shape::Set) => self.visit_set(signs, agreed, sites),
            Some(shape @ (Shape::Object | Shape::Keyed)) => self.descend(signs, shape, agreed, sites),
            None => self.decide(signs, agreed, sites),
        }
    }

    /// Says as what the place is merged member by member; `None`: it is decided whole.
    fn way_down(&self, signs: &Signs<'a>, agreed: Option<&'a Json>, sites: &[Site<'a>]) -> Option<Shape> {
        let place = &signs.place;
        let has_news = |site: &&Site<'_>| site.has_news(place, agreed);
        let held = self.held(signs).is_some() && sites.iter().any(|site| has_news(&site));
        if held || signs.atomic() || signs.key.is_some() && agreed.is_none() {
            return None;
        }
        match agreed {
            Some(value) => {
                let wanted = shape(place, value)?;
                let open = |site: &Site<'_>| site.fits(place, wanted) || !has_news(&site);
                sites.iter().all(open).then_some(wanted)
            }
            None => {
                let news: Vec<&Site<'_>> = sites.iter().filter(has_news).collect();
                let wanted = news.first()?.shape(place)?;
                let open = |site: &&Site<'_>| site.fits(place, wanted) && site.was_empty();
                (news.iter().all(open) && news.iter().any(|site| !site.reads_empty())).then_some(wanted)
            }
        }
    }

    /// Returns the place where the walk is.
    pub(super) fn here(&self) -> Pointer {
        Pointer::from(self.path.iter().map(|name| (*name).clone()).collect::<Vec<_>>())
    }

    /// Merges member by member, and puts together what came out.
    fn descend(
        &mut self,
        signs: &Signs<'a>,
        shape: Shape,
        agreed: Option<&'a Json>,
        sites: &[Site<'a>],
    ) -> Verdict<'a> {
        let stands = members(&signs.place, shape, agreed);
        let opened: Vec<Opened<'a>> = sites.iter().map(|site| site.open(&signs.place, shape)).collect();
        let mut gathered = self.visit_members(signs, shape, &stands, sites, &opened);
        let solid = gathered.is_agreed() || agreed.is_some() || self.path.is_empty();
        let empty = if solid { None } else { self.agree_on_nothing(signs, sites) };
        let exists = solid || empty.is_some();
        let joins = |party: usize| opened[party].joins && (exists || !sites[party].reads_empty());
        let copy = |party: usize| {
            let frame = Frame { shape, site: &sites[party], opened: &opened[party], was: agreed, agreed: exists };
            if joins(party) { gathered.copy(party, &frame) } else { Dealt::InStep }
        };
        let mut dealt: Vec<Dealt<'a>> = (0..sites.len()).map(copy).collect();
        let whole = if solid { Some(gathered.whole(shape, agreed)) } else { empty };
        for party in (0..sites.len()).filter(|party| !joins(*party)) {
            dealt[party] = self.settle(party, signs, &sites[party], agreed, whole.as_ref());
        }
        Verdict { agreed: whole, dealt }
    }

    /// Merges each member.
    fn visit_members(
        &mut self,
        signs: &Signs<'a>,
        shape: Shape,
        stands: &Members<'a>,
        sites: &[Site<'a>],
        opened: &[Opened<'a>],
    ) -> Gathered<'a> {
        let names = names(shape, stands, sites, opened);
        let mut gathered = Gathered::new(names.clone(), sites.len());
        let mut stands = stands.seeker();
        let mut held: Vec<[Seeker<'_, 'a>; 3]> = opened.iter().map(Opened::seekers).collect();
        let mut below: Vec<Site<'a>> = Vec::with_capacity(sites.len());
        for name in names {
            let site = |((site, opened), held): ((&Site<'a>, &Opened<'a>), &mut [Seeker<'_, 'a>; 3])| {
                if !opened.joins {
                    return Site::aside();
                }
                site.child(name, held.each_mut().map(|held| held.seek(name)))
            };
            below.clear();
            below.extend(sites.iter().zip(opened).zip(&mut held).map(site));
            self.path.push(name);
            let verdict = self.visit(&signs.child(shape, name), stands.seek(name), &below);
            self.path.pop();
            gathered.add(verdict.agreed, verdict.dealt);
        }
        gathered
    }

    /// Agrees on an empty object, or on none, where no member came out and nothing was agreed.
    fn agree_on_nothing(&mut self, signs: &Signs<'a>, sites: &[Site<'a>]) -> Option<Piece<'a>> {
        let empty = |(_, site): &(usize, &Site<'a>)| site.reads_empty() && site.has_news(&signs.place, None);
        let empty: Vec<(usize, &Site<'a>)> = sites.iter().enumerate().filter(empty).collect();
        let value = empty.first()?.1.reading;
        let sources = empty.iter().map(|(party, _)| self.parties[*party].name.clone()).collect();
        self.found.changes.push(Change { path: self.here(), before: None, after: value.cloned(), sources });
        value.map(Piece::Shared)
    }

    /// Warns of elements that cannot be told apart by their keys.
    fn warn_of_unkeyed(&mut self, signs: &Signs<'a>, agreed: Option<&'a Json>, sites: &[Site<'a>]) {
        let unkeyed = |value: &&Json| matches!(value, Json::Array(_)) && shape(&signs.place, value).is_none();
        let copies = self
            .parties
            .iter()
            .zip(sites)
            .filter(|(_, site)| site.fields.is_whole() && site.reading.filter(unkeyed).is_some());
        let agreed = agreed.filter(unkeyed).map(|_| "the agreed document".to_owned());
        let holders: Vec<String> = copies.map(|(party, _)| party.name.to_string()).chain(agreed).collect();
        if !holders.is_empty() {
            let (place, holders) = (self.here(), holders.join(", "));
            self.found.warnings.push(format!(
                "the array at \"{place}\" counts as one value this time: \
                 elements without a key, or with one key, in {holders}"
            ));
        }
    }
}

/// Returns the names of the members to be visited: those agreed, and those that the sources show besides.
///
/// Those of an object are sorted; in a keyed array what is new follows in the order in which the sources, by name, show it.
fn names<'a>(shape: Shape, stands: &Members<'a>, sites: &[Site<'a>], opened: &[Opened<'a>]) -> Vec<&'a Text> {
    let mut names: Vec<&'a Text> = stands.names().collect();
    let agreed = names.len();
    for (site, opened) in sites.iter().zip(opened) {
        let mut stands = stands.seeker();
        let is_ours = |name: &&Text| site.fields.is_whole() || !site.fields.child(name).is_nothing();
        names.extend(opened.reading.names().filter(|name| stands.seek(name).is_none()).filter(is_ours));
    }
    if names.len() == agreed {
        return names;
    }
    if shape == Shape::Object {
        names.sort_unstable();
        names.dedup();
    } else {
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(*name));
    }
    names
}
