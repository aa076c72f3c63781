//! Step by step to the bases: what becomes of a copy at one place, whether its write succeeds or fails.

use crate::domain::json::Json;
use crate::domain::pointer::Pointer;
use crate::domain::record::Base;

use super::guide::Signs;
use super::piece::{Piece, Shape};
use super::region::Region;
use super::site::Site;
use super::walk::Walk;

/// What becomes of one copy at one place.
#[derive(Debug)]
pub(super) enum Dealt<'a> {
    /// It stands for what is agreed now, and is left in its own spelling: the shadow is the reading.
    InStep,
    Moved(Box<Moved<'a>>),
}

/// A copy that is written to, or whose base is not what was read and agreed.
#[derive(Debug)]
pub(super) struct Moved<'a> {
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
#[derive(Debug)]
pub(super) struct Ground<'a> {
    pub(super) shadow: Seen<'a>,
    pub(super) ack: Stance<'a>,
}

/// What a shadow is.
#[derive(Debug)]
pub(super) enum Seen<'a> {
    /// What the copy then holds, of what is ours.
    AsHeld,
    As(Option<Piece<'a>>),
}

/// What an ack is.
#[derive(Debug)]
pub(super) enum Stance<'a> {
    /// What is agreed from now on, of what is ours.
    Agreed,
    As(Option<Piece<'a>>),
}

/// The places at which one source's base holds no document that could be compared.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) unknown: Vec<Pointer>,
    pub(super) owed_failed: Vec<Pointer>,
    pub(super) owed_done: Vec<Pointer>,
}

impl<'a> Dealt<'a> {
    fn moved(document: Option<Piece<'a>>, write: bool, failed: Ground<'a>, done: Ground<'a>) -> Self {
        Self::Moved(Box::new(Moved { document, write, failed, done }))
    }

    /// A copy to which this document is written; if that fails, it stands for `ack`.
    pub(super) fn written(document: Option<Piece<'a>>, ack: Option<Piece<'a>>) -> Self {
        let failed = Ground { shadow: Seen::AsHeld, ack: Stance::As(ack) };
        Self::moved(document, true, failed, Ground { shadow: Seen::AsHeld, ack: Stance::Agreed })
    }

    /// A copy that cannot be written, and stands for `ack` until it can.
    pub(super) fn away(site: &Site<'a>, ack: Option<Piece<'a>>) -> Self {
        let ground = |ack| Ground { shadow: Seen::AsHeld, ack: Stance::As(ack) };
        Self::moved(site.reading.map(Piece::Shared), false, ground(ack.clone()), ground(ack))
    }

    /// A copy whose base stays as it is.
    fn left(site: &Site<'a>) -> Self {
        let ground =
            || Ground { shadow: Seen::As(site.fields.cut(site.shadow)), ack: Stance::As(site.fields.cut(site.ack)) };
        Self::moved(site.reading.map(Piece::Shared), false, ground(), ground())
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
        let in_step = site.is_aside()
            || site.fields.same(place, site.reading, value)
            || !site.is_behind(place, value) && !site.is_edited(place);
        if in_step {
            return Dealt::InStep;
        }
        let ack = self.ack_unwritten(party, signs, site, was);
        if self.parties[party].away {
            return Dealt::away(site, ack);
        }
        let document = match site.fields {
            Region::Whole => now.cloned(),
            Region::Below(_) | Region::Nothing => site.fields.lay(site.reading, value).map(Piece::Made),
        };
        Dealt::written(document, ack)
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
        if site.is_aside() {
            return Dealt::InStep;
        }
        if !site.unknown.is_nothing() || !site.owed.is_nothing() {
            let here = self.here();
            let marks = &mut self.parties[party].marks;
            marks.unknown.extend(site.unknown.places(&here));
            marks.owed_failed.extend(site.owed.places(&here));
            marks.owed_done.extend(site.owed.places(&here));
        }
        Dealt::left(site)
    }
}

/// Makes the base of a copy from what came out for its whole document. `held` is that document, or the written one.
///
/// The copy exists, so it holds at least an empty document within its fields.
pub(super) fn base(
    site: &Site<'_>,
    ground: Ground<'_>,
    held: Option<&Json>,
    agreed: Option<&Json>,
    [unknown, owed]: [&[Pointer]; 2],
) -> Base {
    let json = |piece: Option<Piece<'_>>| piece.map(Piece::into_json);
    let empty = || Shape::Object.empty();
    let shadow = match ground.shadow {
        Seen::AsHeld => json(site.fields.cut(held)),
        Seen::As(shadow) => json(shadow),
    };
    let ack = match ground.ack {
        Stance::Agreed => json(site.fields.cut(agreed)),
        Stance::As(ack) => json(ack),
    };
    Base {
        shadow: shadow.or_else(|| Some(empty())),
        unknown: outermost(unknown),
        ack: ack.or_else(|| agreed.map(|_| empty())),
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
