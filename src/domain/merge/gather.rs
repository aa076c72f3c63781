//! Putting a copy together again from what became of its members.

use std::collections::BTreeMap;

use crate::domain::json::Json;
use crate::domain::text::Text;

use super::bases::{Dealt, Ground, Moved, Seen, Stance};
use super::piece::{Parts, Piece, Shape, compose};
use super::region::Region;
use super::site::{Opened, Site, is_empty};

/// What came out at the members of a place: what is agreed of each, and of each copy what is not in step.
#[derive(Debug)]
pub(super) struct Gathered<'a> {
    names: Vec<&'a Text>,
    /// In the order of the names.
    agreed: Vec<Option<Piece<'a>>>,
    /// By party.
    moved: Vec<Vec<MovedMember<'a>>>,
}

/// A member that is not in step, by its position among the names.
type MovedMember<'a> = (usize, Box<Moved<'a>>);

impl<'a> Gathered<'a> {
    pub(super) fn new(names: Vec<&'a Text>, parties: usize) -> Self {
        let agreed = Vec::with_capacity(names.len());
        Self { names, agreed, moved: (0..parties).map(|_| Vec::new()).collect() }
    }

    /// Adds what came out at the next member; the copies left out at the end are in step.
    pub(super) fn add(&mut self, agreed: Option<Piece<'a>>, dealt: Vec<Dealt<'a>>) {
        for (moved, dealt) in self.moved.iter_mut().zip(dealt) {
            match dealt {
                Dealt::InStep => {}
                Dealt::Moved(moving) => moved.push((self.agreed.len(), moving)),
            }
        }
        self.agreed.push(agreed);
    }

    /// Says whether anything is agreed of any member.
    pub(super) fn is_agreed(&self) -> bool {
        self.agreed.iter().any(Option::is_some)
    }

    /// Puts what is agreed together.
    pub(super) fn whole(self, shape: Shape, was: Option<&'a Json>) -> Piece<'a> {
        let mut parts = Parts::with_capacity(self.names.len());
        parts.extend(self.names.into_iter().zip(self.agreed).filter_map(|(name, part)| Some((name, part?))));
        compose(shape, parts, was)
    }

    /// Puts one copy together, which went down with the others.
    pub(super) fn copy(&mut self, party: usize, frame: &Frame<'_, 'a>) -> Dealt<'a> {
        let mut moved = std::mem::take(&mut self.moved[party]);
        if moved.is_empty() {
            return Dealt::InStep;
        }
        let write = moved.iter().any(|(_, moved)| moved.write);
        // The base of what is written is seen to before the document, which takes the members for itself.
        let done = self.grounds(frame, &mut moved, Outcome::Done);
        let failed = self.grounds(frame, &mut moved, Outcome::Failed);
        let reading = frame.site.reading;
        let document = match write {
            true => frame.document(self.parts(frame, &mut moved, |member, moved| match moved {
                Some(moved) => moved.document.take(),
                None => member.reading.filter(|_| !member.fields.is_nothing()).map(Piece::Shared),
            })),
            false => reading.map(Piece::Shared),
        };
        let failed = frame.ground(failed, reading, reading);
        let done = frame.ground(done, document.as_ref().map(Piece::get), None);
        Dealt::Moved(Box::new(Moved { document, write, failed, done }))
    }

    /// Gathers the parts of a base, where it is not simply what is held and agreed.
    fn grounds(&self, frame: &Frame<'_, 'a>, moved: &mut [MovedMember<'a>], outcome: Outcome) -> Grounds<'a> {
        let own_shadow = moved.iter().any(|(_, moved)| matches!(outcome.of(moved).shadow, Seen::As(_)));
        let own_ack = moved.iter().any(|(_, moved)| matches!(outcome.of(moved).ack, Stance::As(_)));
        let shadow = |member: Member<'_, 'a>, moved: Option<&mut Moved<'a>>| match (moved, outcome) {
            (None, _) => member.fields.cut(member.reading),
            (Some(moved), _) if matches!(outcome.of(moved).shadow, Seen::As(_)) => outcome.of_mut(moved).take_shadow(),
            (Some(_), Outcome::Failed) => member.fields.cut(member.reading),
            (Some(moved), Outcome::Done) => member.fields.cut_piece(moved.document.as_ref()),
        };
        let ack = |member: Member<'_, 'a>, moved: Option<&mut Moved<'a>>| match moved {
            Some(moved) if matches!(outcome.of(moved).ack, Stance::As(_)) => outcome.of_mut(moved).take_ack(),
            Some(_) | None => member.fields.cut_piece(member.agreed),
        };
        Grounds {
            shadow: own_shadow.then(|| self.parts(frame, moved, shadow)),
            ack: own_ack.then(|| self.parts(frame, moved, ack)),
        }
    }

    /// Gathers what there is of each member.
    fn parts(
        &self,
        frame: &Frame<'_, 'a>,
        moved: &mut [MovedMember<'a>],
        pick: impl Fn(Member<'_, 'a>, Option<&mut Moved<'a>>) -> Option<Piece<'a>>,
    ) -> Parts<'a> {
        let mut parts = Parts::with_capacity(self.names.len());
        let mut moved = moved.iter_mut().peekable();
        let mut readings = frame.opened.reading.seeker();
        for (position, (name, agreed)) in self.names.iter().zip(&self.agreed).enumerate() {
            let fields = frame.site.fields.child(name);
            let member = Member { fields, reading: readings.seek(name), agreed: agreed.as_ref() };
            let moved = moved.next_if(|(at, _)| *at == position).map(|(_, moved)| &mut **moved);
            parts.extend(pick(member, moved).map(|part| (*name, part)));
        }
        parts
    }
}

/// One member of one copy, and what is agreed of it.
struct Member<'g, 'a> {
    fields: Region<'a>,
    reading: Option<&'a Json>,
    agreed: Option<&'g Piece<'a>>,
}

/// How a write ends.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Failed,
    Done,
}

impl Outcome {
    fn of<'m, 'a>(self, moved: &'m Moved<'a>) -> &'m Ground<'a> {
        match self {
            Self::Failed => &moved.failed,
            Self::Done => &moved.done,
        }
    }

    fn of_mut<'m, 'a>(self, moved: &'m mut Moved<'a>) -> &'m mut Ground<'a> {
        match self {
            Self::Failed => &mut moved.failed,
            Self::Done => &mut moved.done,
        }
    }
}

impl<'a> Ground<'a> {
    fn take_shadow(&mut self) -> Option<Piece<'a>> {
        match &mut self.shadow {
            Seen::AsHeld => None,
            Seen::As(shadow) => shadow.take(),
        }
    }

    fn take_ack(&mut self) -> Option<Piece<'a>> {
        match &mut self.ack {
            Stance::Agreed => None,
            Stance::As(ack) => ack.take(),
        }
    }
}

/// The parts of a base; `None` where it is what is held, or agreed.
#[derive(Debug)]
struct Grounds<'a> {
    shadow: Option<Parts<'a>>,
    ack: Option<Parts<'a>>,
}

/// What is common to all that is put together of one copy at one place.
#[derive(Debug)]
pub(super) struct Frame<'f, 'a> {
    pub(super) shape: Shape,
    pub(super) site: &'f Site<'a>,
    pub(super) opened: &'f Opened<'a>,
    /// What was agreed at this place, and whether anything is.
    pub(super) was: Option<&'a Json>,
    pub(super) agreed: bool,
}

impl<'a> Frame<'_, 'a> {
    /// Puts the document together: what the source alone holds is copied, and the array keeps its own order.
    fn document(&self, mut parts: Parts<'a>) -> Option<Piece<'a>> {
        if let (Some(Json::Object(members)), Region::Below(_)) = (self.site.reading, &self.site.fields) {
            let foreign = members.iter().filter(|(name, _)| self.site.fields.child(name).is_nothing());
            parts.extend(foreign.map(|(name, value)| (name, Piece::Shared(value))));
        }
        if parts.is_empty() && !self.agreed && !self.site.root {
            return None;
        }
        Some(compose(self.shape, self.in_own_order(parts), self.site.reading))
    }

    /// Puts a base together. `holds` is what the copy then holds, `like` what the shadow may be taken from.
    fn ground(&self, grounds: Grounds<'a>, holds: Option<&Json>, like: Option<&'a Json>) -> Ground<'a> {
        let shadow = match grounds.shadow {
            None => Seen::AsHeld,
            Some(parts) if parts.is_empty() => Seen::As(self.shadow_of_nothing(holds)),
            Some(parts) => Seen::As(Some(compose(self.shape, self.in_own_order(parts), like))),
        };
        let known = self.site.root || self.agreed && self.site.fields.is_whole();
        let ack = match grounds.ack {
            None => Stance::Agreed,
            Some(parts) if parts.is_empty() => Stance::As(known.then(|| Piece::Made(self.shape.empty()))),
            Some(parts) => Stance::As(Some(compose(self.shape, parts, self.was))),
        };
        Ground { shadow, ack }
    }

    /// Returns the shadow of a copy none of whose members have one: where nothing is agreed, it is left as not seen.
    fn shadow_of_nothing(&self, holds: Option<&Json>) -> Option<Piece<'a>> {
        let seen = self.site.fields.is_whole() && holds.is_some_and(|value| is_empty(value) || self.agreed);
        (self.site.root || seen).then(|| Piece::Made(self.shape.empty()))
    }

    /// Sorts the elements of an array into the order in which the source has them; what is new to it comes last.
    fn in_own_order(&self, mut parts: Parts<'a>) -> Parts<'a> {
        if self.shape == Shape::Keyed {
            let own: BTreeMap<&Text, usize> = self.opened.reading.names().zip(0..).collect();
            parts.sort_by_key(|(name, _)| own.get(name).copied().unwrap_or(usize::MAX));
        }
        parts
    }
}
