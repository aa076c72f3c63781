//! Putting a copy together again from what became of its members.

use crate::domain::json::Json;
use crate::domain::text::Text;

use super::bases::{Dealt, Ground};
use super::piece::{Parts, Piece, Shape, compose};
use super::site::{Opened, Site, is_empty};

/// What became of the members of one copy, so far.
#[derive(Debug, Default)]
pub(super) struct Gathered<'a> {
    document: Parts<'a>,
    write: bool,
    failed: Grounds<'a>,
    done: Grounds<'a>,
}

#[derive(Debug, Default)]
struct Grounds<'a> {
    shadow: Parts<'a>,
    ack: Parts<'a>,
}

impl<'a> Grounds<'a> {
    fn add(&mut self, name: &'a Text, ground: Ground<'a>) {
        self.shadow.extend(ground.shadow.map(|part| (name, part)));
        self.ack.extend(ground.ack.map(|part| (name, part)));
    }
}

/// What is common to all that is put together of one copy at one place.
struct Frame<'f, 'a> {
    shape: Shape,
    site: &'f Site<'a>,
    opened: &'f Opened<'a>,
    /// What is agreed at this place from now on, and what was.
    agreed: Option<&'f Json>,
    was: Option<&'a Json>,
    /// Whether this is the whole document.
    root: bool,
}

impl<'a> Gathered<'a> {
    /// Adds what became of one member.
    pub(super) fn add(&mut self, name: &'a Text, dealt: Dealt<'a>) {
        self.document.extend(dealt.document.map(|part| (name, part)));
        self.write |= dealt.write;
        self.failed.add(name, dealt.failed);
        self.done.add(name, dealt.done);
    }

    /// Puts everything together.
    pub(super) fn finish(
        self,
        shape: Shape,
        site: &Site<'a>,
        opened: &Opened<'a>,
        was: Option<&'a Json>,
        agreed: Option<&Json>,
        root: bool,
    ) -> Dealt<'a> {
        let frame = Frame { shape, site, opened, agreed, was, root };
        let reading = site.reading;
        let document = if self.write { frame.document(self.document) } else { reading.map(Piece::Shared) };
        let failed = frame.ground(self.failed, reading, reading);
        let done = frame.ground(self.done, document.as_ref().map(Piece::get), None);
        Dealt { document, write: self.write, failed, done }
    }
}

impl<'a> Frame<'_, 'a> {
    /// Puts the document together: what the source alone holds is copied, and the array keeps its own order.
    fn document(&self, mut parts: Parts<'a>) -> Option<Piece<'a>> {
        if let Some(Json::Object(members)) = self.site.reading {
            let foreign = members.iter().filter(|(name, _)| self.site.fields.child(name).is_nothing());
            parts.extend(foreign.map(|(name, value)| (name, Piece::Shared(value))));
        }
        if parts.is_empty() && self.agreed.is_none() && !self.root {
            return None;
        }
        Some(compose(self.shape, self.in_own_order(parts), self.site.reading))
    }

    /// Puts a base together. `holds` is what the copy then holds, `like` what the shadow may be taken from.
    fn ground(&self, grounds: Grounds<'a>, holds: Option<&Json>, like: Option<&'a Json>) -> Ground<'a> {
        let empty = || Some(Piece::Made(self.shape.empty()));
        let shadow = if grounds.shadow.is_empty() {
            // Where nothing is agreed, a copy all of whose members stay open is left as not seen.
            let seen = self.site.fields.is_whole() && holds.is_some_and(|value| is_empty(value) || self.agreed.is_some());
            empty().filter(|_| self.root || seen)
        } else {
            Some(compose(self.shape, self.in_own_order(grounds.shadow), like))
        };
        let ack = if grounds.ack.is_empty() {
            empty().filter(|_| self.root || self.agreed.is_some() && self.site.fields.is_whole())
        } else {
            Some(compose(self.shape, grounds.ack, self.was))
        };
        Ground { shadow, ack }
    }

    /// Sorts the elements of an array into the order in which the source has them; what is new to it comes last.
    fn in_own_order(&self, mut parts: Parts<'a>) -> Parts<'a> {
        if self.shape == Shape::Keyed {
            let own: Vec<&Text> = self.opened.reading.names().collect();
            parts.sort_by_key(|(name, _)| own.iter().position(|key| key == name).unwrap_or(usize::MAX));
        }
        parts
    }
}
