//! The decision about the record as a whole: gone, live, or left to a person.

use std::collections::BTreeSet;

use crate::domain::name::SourceName;
use crate::domain::pointer::Pointer;
use crate::domain::record::{Base, RecordState};
use crate::domain::rules::{MergePolicy, OnDelete};

use super::bases::Marks;
use super::decide::Taken;
use super::guide::{Guide, Signs};
use super::piece::Piece;
use super::policy::{Newsmaker, Ruling, rule};
use super::region::Region;
use super::site::Site;
use super::walk::{Found, Party, Walk};
use super::{Answer, Conflict, ConflictKind, Contender, Decision, Overruled, Question, Stand};

/// A question, sorted by how its sources stand to the record.
pub(super) struct Root<'a> {
    pub(super) question: &'a Question<'a>,
    pub(super) signs: Signs<'a>,
    /// The copies that were read, or contend with what was last read, sorted by name.
    pub(super) sites: Vec<Site<'a>>,
    names: Vec<&'a SourceName>,
    away: BTreeSet<&'a SourceName>,
    missing: BTreeSet<&'a SourceName>,
    /// Those of the missing whose absence is news.
    pub(super) removers: BTreeSet<&'a SourceName>,
    /// Whether one of the removers had not seen the agreed document.
    behind: bool,
}

/// What becomes of the record.
enum Fate<'a> {
    /// It lives, and its copies are merged; those that lack it get it back, or are unlinked.
    Merged {
        overruled: Vec<Overruled>,
        unlink: bool,
    },
    /// It lives as this document, which a person chose.
    Imposed {
        value: Piece<'a>,
        overruled: Vec<Overruled>,
    },
    Gone {
        overruled: Vec<Overruled>,
    },
    Open(Conflict),
}

/// Merges.
pub(super) fn merge(question: &Question<'_>) -> Answer {
    let guide = Guide::new(question);
    let root = Root::new(question, guide.signs());
    let mut walk = root.walk();
    let verdict = walk.visit(&root.signs, question.agreed, &root.sites);
    if question.agreed.is_none() {
        root.note_births(&mut walk);
    }
    let (fate, decided) = match root.fate(&walk) {
        Fate::Open(conflict) => root.decided(&walk, conflict),
        fate @ (Fate::Merged { .. } | Fate::Imposed { .. } | Fate::Gone { .. }) => (fate, false),
    };
    let removed_by = if decided { Vec::new() } else { root.accepted(&fate) };
    let mut answer = match fate {
        Fate::Merged { overruled, unlink } => root.merged(walk, verdict, overruled, unlink),
        Fate::Imposed { value, overruled } => root.imposed(&walk, &value, overruled),
        Fate::Gone { overruled } => root.gone(&walk, overruled),
        Fate::Open(conflict) => root.left_open(walk, conflict),
    };
    if decided {
        answer.decided.push(Pointer::root());
    }
    answer.removed_by = removed_by;
    answer.conflicts.sort_by(|a, b| a.path.cmp(&b.path));
    answer.overruled.sort_by(|a, b| (&a.source, &a.path).cmp(&(&b.source, &b.path)));
    answer
}

impl<'a> Root<'a> {
    fn new(question: &'a Question<'a>, signs: Signs<'a>) -> Self {
        let mut root = Self {
            question,
            signs,
            sites: Vec::new(),
            names: Vec::new(),
            away: BTreeSet::new(),
            missing: BTreeSet::new(),
            removers: BTreeSet::new(),
            behind: false,
        };
        for (name, copy) in &question.copies {
            let fields = Region::of_fields(copy.fields);
            match &copy.stand {
                Stand::Present { base, current } => root.add_site(name, Site::new(fields, base, current)),
                Stand::Unreachable { base, last: Some(last) } => {
                    root.away.insert(name);
                    root.add_site(name, Site::new(fields, base, last));
                }
                Stand::Missing { base } => root.add_missing(name, &fields, base),
                Stand::Unreachable { last: None, .. } | Stand::Unlinked | Stand::Detached => {}
            }
        }
        root
    }

    fn add_site(&mut self, name: &'a SourceName, site: Site<'a>) {
        self.names.push(name);
        self.sites.push(site);
    }

    /// A copy that is not known to have existed, and is still owed the record, did not remove it.
    fn add_missing(&mut self, name: &'a SourceName, fields: &Region<'a>, base: &'a Base) {
        self.missing.insert(name);
        let live = self.question.state == RecordState::Live;
        let Some(agreed) = self.question.agreed.filter(|_| live) else { return };
        let behind = !base.owed.is_empty() || !fields.same(&self.signs.place, base.ack.as_ref(), Some(agreed));
        if base.shadow.is_some() || !base.unknown.is_empty() || !behind {
            self.removers.insert(name);
            self.behind |= behind;
        }
    }

    /// Starts a walk over the copies.
    pub(super) fn walk(&self) -> Walk<'a> {
        let party = |name: &&'a SourceName| Party {
            name,
            away: self.away.contains(*name),
            news: false,
            marks: Marks::default(),
        };
        Walk {
            parties: self.names.iter().map(party).collect(),
            lacking: self.missing.clone(),
            first_sight: self.question.agreed.is_none(),
            path: Vec::new(),
            found: Found::default(),
        }
    }

    /// Of a new record every document is news, even one that is empty.
    fn note_births(&self, walk: &mut Walk<'a>) {
        for (party, site) in walk.parties.iter_mut().zip(&self.sites) {
            party.news |= site.has_news(&self.signs.place, None);
        }
    }

    /// Says what becomes of the record, before any person is heard.
    fn fate(&self, walk: &Walk<'a>) -> Fate<'a> {
        let edited = walk.parties.iter().any(|party| party.news);
        let merged = Fate::Merged { overruled: Vec::new(), unlink: false };
        let fate = match (self.question.state, self.question.agreed, self.signs.held()) {
            (RecordState::Deleted, _, _) if !edited => Fate::Gone { overruled: Vec::new() },
            (RecordState::Deleted, _, held) => self.conflict(walk, held.unwrap_or(ConflictKind::EditDelete)),
            (RecordState::Live, _, Some(kind)) if edited || !self.removers.is_empty() => self.conflict(walk, kind),
            (RecordState::Live, None, _) if edited && self.waits(walk) => self.conflict(walk, ConflictKind::Held),
            (RecordState::Live, None, _) if self.is_nowhere() => Fate::Gone { overruled: Vec::new() },
            (RecordState::Live, Some(_), _) if !self.removers.is_empty() => self.removal(walk),
            (RecordState::Live, Some(_) | None, _) => merged,
        };
        let clash = walk.found.conflicts.iter().find(|conflict| conflict.path.is_root());
        match (fate, clash) {
            (Fate::Merged { .. }, Some(conflict)) => Fate::Open(conflict.clone()),
            (fate, Some(_) | None) => fate,
        }
    }

    /// Says whether a new record waits for a person, or for the source that is trusted with it.
    fn waits(&self, walk: &Walk<'a>) -> bool {
        *self.signs.policy == MergePolicy::RejectAll || walk.lacks_the_trusted(self.signs.policy)
    }

    /// Says whether a record of which nothing is agreed has lost its last copy.
    fn is_nowhere(&self) -> bool {
        let unreachable = |stand: &Stand<'_>| matches!(stand, Stand::Unreachable { .. });
        self.sites.is_empty()
            && !self.missing.is_empty()
            && !self.question.copies.values().any(|copy| unreachable(&copy.stand))
    }

    /// Decides whether a removal is accepted, and what that does.
    fn removal(&self, walk: &Walk<'a>) -> Fate<'a> {
        const GONE: usize = 0;
        let edited =
            walk.parties.iter().filter(|party| party.news).map(|party| Newsmaker { name: party.name, side: 1 });
        let mut newsmakers: Vec<Newsmaker<'_>> = edited.collect();
        let contradicted = !newsmakers.is_empty() || self.behind;
        newsmakers.extend(self.removers.iter().map(|name| Newsmaker { name, side: GONE }));
        newsmakers.sort_by_key(|newsmaker| newsmaker.name);
        match (rule(self.signs.policy, &newsmakers, contradicted, false), self.question.rules.on_delete) {
            (Ruling::Held, _) | (Ruling::Side(GONE), OnDelete::Hold) => self.conflict(walk, ConflictKind::Held),
            (Ruling::Contradiction, _) => self.conflict(walk, ConflictKind::EditDelete),
            (Ruling::Side(GONE), OnDelete::Propagate) => Fate::Gone { overruled: self.edits(walk) },
            (Ruling::Side(GONE), OnDelete::Recreate) => Fate::Merged { overruled: Vec::new(), unlink: false },
            (Ruling::Side(GONE), OnDelete::Unlink) => Fate::Merged { overruled: Vec::new(), unlink: true },
            (Ruling::Side(_) | Ruling::Stays, _) => {
                Fate::Merged { overruled: self.removals().collect(), unlink: false }
            }
        }
    }

    /// Names those whose removal is accepted, where nobody has decided.
    fn accepted(&self, fate: &Fate<'a>) -> Vec<SourceName> {
        let is_accepted = match fate {
            Fate::Gone { .. } => true,
            Fate::Merged { overruled, .. } => overruled.is_empty(),
            Fate::Imposed { .. } | Fate::Open(_) => false,
        };
        let removers = self.removers.iter().filter(|_| is_accepted);
        removers.map(|name| (*name).clone()).collect()
    }

    /// Applies a person's decision to a conflict about the whole record; says too whether there was one that applies.
    fn decided(&self, walk: &Walk<'a>, conflict: Conflict) -> (Fate<'a>, bool) {
        let agreed = self.question.agreed;
        let taken = match self.signs.decision() {
            None => Taken::Nothing,
            Some(Decision::Take(source)) => walk.take(source, agreed, &self.sites),
            Some(Decision::Value(value)) => Taken::Holds(Some(Piece::Shared(value))),
            Some(Decision::Absent) => Taken::Holds(None),
            Some(Decision::Keep) => match self.question.state {
                RecordState::Live => Taken::Holds(agreed.map(Piece::Shared)),
                RecordState::Deleted => Taken::Holds(None),
            },
        };
        match taken {
            Taken::Nothing => (Fate::Open(conflict), false),
            Taken::Holds(None) => (Fate::Gone { overruled: self.edits(walk) }, true),
            Taken::Holds(Some(value)) => {
                let lost = |lost: &Overruled| match walk.party(&lost.source) {
                    Some(party) => {
                        let site = &self.sites[party];
                        !site.fields.same(&self.signs.place, site.reading, Some(value.get()))
                    }
                    None => true,
                };
                let overruled = self.edits(walk).into_iter().chain(self.removals()).filter(lost).collect();
                (Fate::Imposed { value, overruled }, true)
            }
        }
    }

    /// Returns the documents of those that made news, as they are overruled.
    fn edits(&self, walk: &Walk<'a>) -> Vec<Overruled> {
        let news = walk.parties.iter().zip(&self.sites).filter(|(party, _)| party.news);
        let lost = |(party, site): (&Party<'a>, &Site<'a>)| Overruled {
            path: Pointer::root(),
            source: party.name.clone(),
            value: site.holding().map(Piece::into_json),
        };
        news.map(lost).collect()
    }

    /// Returns the removals, as they are overruled.
    fn removals(&self) -> impl Iterator<Item = Overruled> {
        self.removers.iter().map(|name| Overruled { path: Pointer::root(), source: (*name).clone(), value: None })
    }

    /// Makes the conflict in which all that made news contend.
    fn conflict(&self, walk: &Walk<'a>, kind: ConflictKind) -> Fate<'a> {
        let mut contenders: Vec<Contender> = Vec::new();
        for Overruled { source, value, .. } in self.edits(walk).into_iter().chain(self.removals()) {
            let same = |contender: &&mut Contender| match (&contender.value, &value) {
                (Some(a), Some(b)) => self.signs.place.same(a, b),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            match contenders.iter_mut().find(same) {
                Some(contender) => contender.sources.push(source),
                None => contenders.push(Contender { sources: vec![source], value }),
            }
        }
        contenders.sort_by(|a, b| a.sources.cmp(&b.sources));
        let agreed = self.question.agreed.filter(|_| self.question.state == RecordState::Live).cloned();
        Fate::Open(Conflict { path: Pointer::root(), kind, agreed, contenders })
    }
}
