//! One source at one place: what it holds there, and what is known of that.

use crate::domain::json::Json;
use crate::domain::record::Base;
use crate::domain::spelling::Place;
use crate::domain::text::Text;

use super::guide::{members, shape};
use super::piece::{Members, Piece, Seeker, Shape};
use super::region::Region;

/// What one source holds at one place, beside its base there.
#[derive(Debug, Clone)]
pub(super) struct Site<'a> {
    /// The part of this place that the source holds.
    pub(super) fields: Region<'a>,
    /// As it was read; what is not in `fields` is not ours.
    pub(super) reading: Option<&'a Json>,
    pub(super) shadow: Option<&'a Json>,
    pub(super) ack: Option<&'a Json>,
    /// Where the shadow differs from everything.
    pub(super) unknown: Region<'a>,
    /// Where the ack differs from everything.
    pub(super) owed: Region<'a>,
    /// Whether this is the whole document, which is there even if nothing in it is ours.
    pub(super) root: bool,
}

impl<'a> Site<'a> {
    pub(super) fn new(fields: Region<'a>, base: &'a Base, reading: &'a Json) -> Self {
        Self {
            fields,
            reading: Some(reading),
            shadow: base.shadow.as_ref(),
            ack: base.ack.as_ref(),
            unknown: Region::of_places(&base.unknown),
            owed: Region::of_places(&base.owed),
            root: true,
        }
    }

    /// Says whether the source holds nothing of this place, so that it takes no part.
    pub(super) fn is_aside(&self) -> bool {
        self.fields.is_nothing()
    }

    /// Says whether the source was edited here.
    pub(super) fn is_edited(&self, place: &Place<'_>) -> bool {
        !self.unknown.is_nothing() || !self.reads_as(place, self.shadow)
    }

    /// Says whether the source was edited to something other than what is agreed.
    pub(super) fn has_news(&self, place: &Place<'_>, agreed: Option<&Json>) -> bool {
        !self.is_aside() && !self.reads_as(place, agreed) && self.is_edited(place)
    }

    /// Says whether the reading is just what is agreed; if it is not, it may still be the same.
    pub(super) fn reads_exactly(&self, agreed: Option<&Json>) -> bool {
        self.fields.is_whole() && self.reading == agreed
    }

    fn reads_as(&self, place: &Place<'_>, value: Option<&Json>) -> bool {
        let appeared = self.root && value.is_none();
        !appeared && self.fields.same(place, self.reading, value)
    }

    /// Says whether the source stands for something other than `agreed`.
    pub(super) fn is_behind(&self, place: &Place<'_>, agreed: Option<&Json>) -> bool {
        !self.owed.is_nothing() || !self.fields.same(place, self.ack, agreed)
    }

    /// Says whether the walk may go down here as far as this source goes, if it has news.
    pub(super) fn fits(&self, place: &Place<'_>, wanted: Shape) -> bool {
        let over = |value: &Json| shape(place, value) == Some(wanted);
        match self.fields {
            Region::Nothing => true,
            Region::Whole => {
                self.reading.is_some_and(over) && (self.unknown.is_whole() || self.shadow.is_none_or(over))
            }
            Region::Below(_) => wanted == Shape::Object,
        }
    }

    /// Says whether the source held nothing here, as far as that is known and was not overruled member by member.
    pub(super) fn was_empty(&self) -> bool {
        let overruled = matches!(self.owed, Region::Below(_)) && !self.fields.holds(self.ack);
        self.unknown.is_whole() || overruled || !self.fields.holds(self.shadow)
    }

    /// Returns what the reading counts as.
    pub(super) fn shape(&self, place: &Place<'_>) -> Option<Shape> {
        match self.fields {
            Region::Whole => shape(place, self.reading?),
            Region::Below(_) => Some(Shape::Object),
            Region::Nothing => None,
        }
    }

    /// Says whether the reading is an object or array without anything in it.
    pub(super) fn reads_empty(&self) -> bool {
        match self.fields {
            Region::Whole => self.reading.is_some_and(is_empty),
            Region::Below(_) => self.root && !self.fields.holds(self.reading),
            Region::Nothing => false,
        }
    }

    /// Returns what the source holds here, of what is ours; of a document at least an empty one.
    pub(super) fn holding(&self) -> Option<Piece<'a>> {
        self.fields.cut(self.reading).or_else(|| self.root.then(|| Piece::Made(Shape::Object.empty())))
    }

    /// Returns what this place looks like if the source has its way: what it does not hold is as agreed.
    pub(super) fn proposal(&self, agreed: Option<&Json>) -> Option<Piece<'a>> {
        match self.fields {
            Region::Whole => self.reading.map(Piece::Shared),
            Region::Below(_) | Region::Nothing => {
                let laid = self.fields.lay(agreed, self.reading).map(Piece::Made);
                laid.or_else(|| self.root.then(|| Piece::Made(Shape::Object.empty())))
            }
        }
    }

    /// Opens the place, to go down as to something of this shape.
    pub(super) fn open(&self, place: &Place<'_>, wanted: Shape) -> Opened<'a> {
        let joins = self.shape(place) == Some(wanted);
        if !joins {
            return Opened { joins, ..Opened::default() };
        }
        let open = |value| members(place, wanted, value);
        Opened { joins, reading: open(self.reading), shadow: open(self.shadow), ack: open(self.ack) }
    }

    /// Returns the source at a member where it goes down with the others.
    pub(super) fn child(&self, name: &Text, held: [Option<&'a Json>; 3]) -> Self {
        let [reading, shadow, ack] = held;
        Self {
            fields: self.fields.child(name),
            reading,
            shadow,
            ack,
            unknown: self.unknown.child(name),
            owed: self.owed.child(name),
            root: false,
        }
    }

    /// Returns a source that takes no part.
    pub(super) fn aside() -> Self {
        Self {
            fields: Region::Nothing,
            reading: None,
            shadow: None,
            ack: None,
            unknown: Region::Nothing,
            owed: Region::Nothing,
            root: false,
        }
    }
}

/// What a source holds at a place, by member.
#[derive(Debug, Default)]
pub(super) struct Opened<'a> {
    /// Whether the source goes down here at all.
    pub(super) joins: bool,
    pub(super) reading: Members<'a>,
    shadow: Members<'a>,
    ack: Members<'a>,
}

impl<'a> Opened<'a> {
    /// Starts to look up what was read of members, their shadows and their acks.
    pub(super) fn seekers(&self) -> [Seeker<'_, 'a>; 3] {
        [self.reading.seeker(), self.shadow.seeker(), self.ack.seeker()]
    }
}

/// Says whether a value is an object or an array that holds nothing.
pub(super) fn is_empty(value: &Json) -> bool {
    match value {
        Json::Object(members) => members.is_empty(),
        Json::Array(elements) => elements.is_empty(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}
