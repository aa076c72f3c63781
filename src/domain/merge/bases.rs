//! Step by step to the bases: what becomes of a copy at one place, whether its write succeeds or fails.

use crate::domain::json::Json;
use crate::domain::pointer::Pointer;
use crate::domain::record::Base;

use super::guide::Signs;
use super::piece::Piece;
use super::region::Region;
use super::site::Site;
use super::walk::Walk;

/// What becomes of one copy at one place.
#[derive(Debug)]
pub(super) struct Dealt<'a> {
    /// What the copy holds there afterwards, all in all.
    pub(super) document: Option<Piece<'a>>,
    /// Whether that must be written.
    pub(super) write: bool,
    /// The base there if the write fails, or there is none.
    pub(super) failed: Ground<'a>,
    /// The base there if the write succeeds.
    pub(super) done: Ground<'a>,
}

/// A base at one place.
#[derive(Debug, Clone)]
pub(super) struct Ground<'a> {
    pub(super) shadow: Option<Piece<'a>>,
    pub(super) ack: Option<Piece<'a>>,
}

/// The places at which one source's base holds no document that could be compared.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) unknown: Vec<Pointer>,
    pub(super) owed_failed: Vec<Pointer>,
    pub(super) owed_done: Vec<Pointer>,
}

impl<'a> Dealt<'a> {
    /// A copy to which nothing is written. What the source holds beside its fields is seen to where its members are gathered.
    fn quiet(site: &Site<'a>, ground: Ground<'a>) -> Self {
        let document = site.reading.filter(|_| !site.is_aside()).map(Piece::Shared);
        Self { document, write: false, failed: ground.clone(), done: ground }
    }
}

impl<'a> Walk<'a> {
    /// Deals with one copy at a place that was decided: `was` agreed and `now` is.
    pub(super) fn settle(
        &mut self,
        party: usize,
        signs: &Signs<'a>,
        site: &Site<'a>,
        was: Option<&'a Json>,
        now: Option<&Piece<'a>>,
    ) -> Dealt<'a> {
        let place = &signs.place;
        let value = now.map(Piece::get);
        let stand = cut_piece(&site.fields, now);
        let in_step = site.is_aside()
            || site.fields.same(place, site.reading, value)
            || !site.is_behind(place, value) && !site.is_edited(place);
        if in_step {
            return Dealt::quiet(site, Ground { shadow: site.holding(), ack: stand });
        }
        let failed = Ground { shadow: site.holding(), ack: self.ack_unwritten(party, signs, site, was) };
        if self.parties[party].away {
            return Dealt::quiet(site, failed);
        }
        let document = match site.fields {
            Region::Whole => now.cloned(),
            Region::Below(_) | Region::Nothing => site.fields.lay(site.reading, value).map(Piece::Made),
        };
        Dealt { document, write: true, failed, done: Ground { shadow: stand.clone(), ack: stand } }
    }

    /// Returns what a copy stands for as long as what is decided is not written to it.
    ///
    /// An edit that is lost leaves a correction owed, so that the next edit on top of it is contested.
    fn ack_unwritten(
        &mut self,
        party: usize,
        signs: &Signs<'a>,
        site: &Site<'a>,
        was: Option<&'a Json>,
    ) -> Option<Piece<'a>> {
        let edited = site.is_edited(&signs.place);
        if edited && site.fields.same(&signs.place, site.reading, was) {
            // It came to what was agreed by itself, and only then was left behind.
            return site.fields.cut(was);
        }
        let here = self.here();
        let owed = if edited { vec![here] } else { site.owed.places(&here) };
        self.parties[party].marks.owed_failed.extend(owed);
        site.fields.cut(site.ack)
    }

    /// Leaves one copy alone at a place that stays open.
    pub(super) fn leave(&mut self, party: usize, site: &Site<'a>) -> Dealt<'a> {
        if !site.unknown.is_nothing() || !site.owed.is_nothing() {
            let here = self.here();
            let marks = &mut self.parties[party].marks;
            marks.unknown.extend(site.unknown.places(&here));
            marks.owed_failed.extend(site.owed.places(&here));
            marks.owed_done.extend(site.owed.places(&here));
        }
        let ground = Ground { shadow: site.fields.cut(site.shadow), ack: site.fields.cut(site.ack) };
        Dealt::quiet(site, ground)
    }
}

/// Cuts a piece, shared where it can be.
fn cut_piece<'a>(fields: &Region<'_>, piece: Option<&Piece<'a>>) -> Option<Piece<'a>> {
    match piece? {
        Piece::Shared(value) => fields.cut(Some(value)),
        Piece::Made(value) => fields.cut(Some(value)).map(|cut| Piece::Made(cut.into_json())),
    }
}

/// Makes the base of a copy from what came out at the root; its document exists, so it holds at least an empty one.
pub(super) fn base(ground: Ground<'_>, unknown: &[Pointer], owed: &[Pointer]) -> Base {
    Base {
        shadow: ground.shadow.map(Piece::into_json),
        unknown: outermost(unknown),
        ack: ground.ack.map(Piece::into_json),
        owed: outermost(owed),
    }
}

/// Sorts places, and leaves out those that lie within others.
fn outermost(places: &[Pointer]) -> Vec<Pointer> {
    let mut sorted = places.to_vec();
    sorted.sort();
    let mut kept: Vec<Pointer> = Vec::new();
    for place in sorted {
        // In this order a place stands right after those that lead to it.
        if !kept.last().is_some_and(|above| place.starts_with(above)) {
            kept.push(place);
        }
    }
    kept
}
