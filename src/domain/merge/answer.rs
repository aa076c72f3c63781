//! The answer: from what became of the record to what is to be done at each source, and what is to be recorded.

use std::collections::BTreeMap;

use crate::domain::json::{Json, Object};
use crate::domain::name::SourceName;
use crate::domain::pointer::Pointer;
use crate::domain::record::{Base, RecordState};

use super::bases::{Dealt, Ground, Marks, Seen, Stance, base};
use super::changes::differences;
use super::piece::Piece;
use super::region::Region;
use super::root::Root;
use super::site::Site;
use super::walk::{Found, Party, Verdict, Walk};
use super::{Action, Answer, Change, Conflict, Copy, Outcome, Overruled, Stand};

impl<'a> Root<'a> {
    /// Answers that the record lives, with what came out of the walk.
    pub(super) fn merged(
        &self,
        walk: Walk<'a>,
        verdict: Verdict<'a>,
        overruled: Vec<Overruled>,
        unlink: bool,
    ) -> Answer {
        let Walk { parties, found, .. } = walk;
        let agreed = verdict.agreed.map(Piece::into_json);
        let patch = match (self.question.agreed, &agreed) {
            (None, Some(document)) => vec![self.birth(&parties, &found, document)],
            (Some(_) | None, _) => found.changes,
        };
        let copies = self.outcomes(parties, verdict.dealt, agreed.as_ref(), unlink);
        Answer {
            state: RecordState::Live,
            agreed,
            patch,
            copies,
            conflicts: found.conflicts,
            overruled: overruled.into_iter().chain(found.overruled).collect(),
            decided: found.decided,
            removed_by: Vec::new(),
            warnings: found.warnings,
        }
    }

    /// Returns the change with which a record begins, as that of all whose documents went into it.
    fn birth(&self, parties: &[Party<'a>], found: &Found, document: &Json) -> Change {
        let won = |party: &&Party<'a>| found.changes.iter().any(|change| change.sources.contains(party.name));
        let mut sources: Vec<SourceName> = parties.iter().filter(won).map(|party| party.name.clone()).collect();
        if sources.is_empty() {
            sources = parties.iter().filter(|party| party.news).map(|party| party.name.clone()).collect();
        }
        Change { path: Pointer::root(), before: None, after: Some(document.clone()), sources }
    }

    /// Answers that the record lives, as the document that a person chose.
    pub(super) fn imposed(&self, heard: &Walk<'a>, value: &Piece<'a>, overruled: Vec<Overruled>) -> Answer {
        let mut walk = self.walk();
        let agreed = self.question.agreed;
        let sites = self.sites.iter().enumerate();
        let dealt = sites.map(|(party, site)| walk.settle(party, &self.signs, site, agreed, Some(value))).collect();
        let document = value.get().clone();
        let stands = |(party, _): &(usize, &Party<'a>)| {
            let site = &self.sites[*party];
            site.fields.same(&self.signs.place, site.reading, Some(value.get()))
        };
        let sources = heard.parties.iter().enumerate().filter(|(_, party)| party.news).filter(stands);
        let sources: Vec<SourceName> = sources.map(|(_, party)| party.name.clone()).collect();
        let before = agreed.filter(|_| self.question.state == RecordState::Live);
        Answer {
            state: RecordState::Live,
            patch: differences(&self.signs.place, before, Some(&document), &sources),
            copies: self.outcomes(walk.parties, dealt, Some(&document), false),
            agreed: Some(document),
            conflicts: Vec::new(),
            overruled,
            decided: Vec::new(),
            removed_by: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Answers that the record is gone; its document is kept.
    pub(super) fn gone(&self, walk: &Walk<'a>, overruled: Vec<Overruled>) -> Answer {
        let kept = self.question.agreed.cloned().or_else(|| overruled.iter().find_map(|lost| lost.value.clone()));
        let removal = kept.clone().filter(|_| self.question.state == RecordState::Live).map(|document| Change {
            path: Pointer::root(),
            before: Some(document),
            after: None,
            sources: self.removers.iter().map(|name| (*name).clone()).collect(),
        });
        let outcome = |(name, copy): (&SourceName, &Copy<'_>)| {
            let news = walk.party(name).is_some_and(|party| walk.parties[party].news);
            (name.clone(), removed(copy, news))
        };
        Answer {
            state: RecordState::Deleted,
            agreed: kept,
            patch: removal.into_iter().collect(),
            copies: self.question.copies.iter().map(outcome).collect(),
            conflicts: Vec::new(),
            overruled,
            decided: Vec::new(),
            removed_by: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Answers that a person must decide about the record; until then nothing moves.
    pub(super) fn left_open(&self, walk: Walk<'a>, conflict: Conflict) -> Answer {
        let outcome = |(name, copy): (&SourceName, &Copy<'_>)| (name.clone(), untouched(copy));
        Answer {
            state: self.question.state,
            agreed: self.question.agreed.cloned(),
            patch: Vec::new(),
            copies: self.question.copies.iter().map(outcome).collect(),
            conflicts: vec![conflict],
            overruled: Vec::new(),
            decided: Vec::new(),
            removed_by: Vec::new(),
            warnings: walk.found.warnings,
        }
    }

    /// Says what becomes of the copies of a record that lives.
    fn outcomes(
        &self,
        parties: Vec<Party<'a>>,
        mut dealt: Vec<Dealt<'a>>,
        agreed: Option<&Json>,
        unlink: bool,
    ) -> BTreeMap<SourceName, Outcome> {
        dealt.resize_with(parties.len(), || Dealt::InStep);
        let present = parties.iter().zip(&self.sites).zip(dealt);
        let outcome = |((party, site), dealt): ((&Party<'a>, &Site<'a>), Dealt<'a>)| {
            (party.name.clone(), dealt_with(party, site, dealt, agreed))
        };
        let mut outcomes: BTreeMap<SourceName, Outcome> = present.map(outcome).collect();
        for (name, copy) in &self.question.copies {
            if !outcomes.contains_key(name) {
                let removed = self.removers.contains(name);
                outcomes.insert(name.clone(), without_document(copy, agreed, removed, unlink));
            }
        }
        outcomes
    }
}

/// Says what becomes of a copy that took part.
fn dealt_with(party: &Party<'_>, site: &Site<'_>, dealt: Dealt<'_>, agreed: Option<&Json>) -> Outcome {
    let Marks { unknown, owed_failed, owed_done } = &party.marks;
    let action = if party.away { Action::Later } else { Action::None };
    let moved = match dealt {
        Dealt::InStep => {
            let settled = Ground { shadow: Seen::AsHeld, ack: Stance::Agreed };
            return idle(action, base(site, settled, site.reading, agreed, [&[], &[]]));
        }
        Dealt::Moved(moved) => moved,
    };
    let unwritten = base(site, moved.failed, site.reading, agreed, [unknown, owed_failed]);
    match moved.document.filter(|_| moved.write).map(Piece::into_json) {
        Some(document) => {
            let written = base(site, moved.done, Some(&document), agreed, [unknown, owed_done]);
            Outcome { action: Action::Update(document), unwritten, written }
        }
        None => idle(action, unwritten),
    }
}

/// Says what becomes of a copy of a live record that did not take part.
fn without_document(copy: &Copy<'_>, agreed: Option<&Json>, removed: bool, unlink: bool) -> Outcome {
    let unwritten = match &copy.stand {
        Stand::Unreachable { base, .. } => return idle(Action::Later, (*base).clone()),
        Stand::Present { base, .. } => return idle(Action::None, (*base).clone()),
        Stand::Detached => return idle(Action::None, Base::default()),
        Stand::Missing { .. } if removed && unlink => return idle(Action::Unlink, Base::default()),
        Stand::Missing { base } => Base {
            shadow: None,
            unknown: Vec::new(),
            ack: base.ack.clone(),
            owed: if removed { vec![Pointer::root()] } else { base.owed.clone() },
        },
        Stand::Unlinked => Base::default(),
    };
    let part = Region::of_fields(copy.fields).cut(agreed).map(Piece::into_json);
    match part.filter(|part| *part != Json::Object(Object::new())) {
        Some(part) => {
            let written = Base { shadow: Some(part.clone()), ack: Some(part.clone()), ..Base::default() };
            Outcome { action: Action::Create(part), unwritten, written }
        }
        None => idle(Action::None, unwritten),
    }
}

/// Says what becomes of a copy of a record that is gone; `news` if its edit is lost with it.
fn removed(copy: &Copy<'_>, news: bool) -> Outcome {
    let fields = Region::of_fields(copy.fields);
    let read = |base: &Base, reading: &Json| Base {
        shadow: fields.cut(Some(reading)).map(Piece::into_json).or_else(|| Some(Json::Object(Object::new()))),
        unknown: Vec::new(),
        ack: base.ack.clone(),
        owed: if news { vec![Pointer::root()] } else { base.owed.clone() },
    };
    match &copy.stand {
        Stand::Present { base, current } => {
            Outcome { action: Action::Delete, unwritten: read(base, current), written: Base::default() }
        }
        Stand::Unreachable { base, last: Some(last) } => idle(Action::Later, read(base, last)),
        Stand::Unreachable { base, last: None } => idle(Action::Later, (*base).clone()),
        Stand::Missing { .. } | Stand::Unlinked | Stand::Detached => idle(Action::None, Base::default()),
    }
}

/// Says what becomes of a copy as long as a person has not decided about the record.
fn untouched(copy: &Copy<'_>) -> Outcome {
    match &copy.stand {
        Stand::Present { base, .. } | Stand::Missing { base } => idle(Action::None, (*base).clone()),
        Stand::Unreachable { base, .. } => idle(Action::Later, (*base).clone()),
        Stand::Unlinked | Stand::Detached => idle(Action::None, Base::default()),
    }
}

/// Nothing is written, so the base is the same either way.
fn idle(action: Action, base: Base) -> Outcome {
    Outcome { action, unwritten: base.clone(), written: base }
}
