//! The decision at one place that is not gone into: who made news, what the policy says of it, and what a person said.

use crate::domain::json::Json;
use crate::domain::name::SourceName;
use crate::domain::rules::MergePolicy;
use crate::domain::spelling::Place;

use super::guide::Signs;
use super::piece::Piece;
use super::policy::{Newsmaker, Ruling, rule};
use super::site::Site;
use super::walk::{Verdict, Walk};
use super::{Change, Conflict, ConflictKind, Contender, Decision, Overruled};

/// The sources that stand for one value, in the spelling of the first of them.
#[derive(Debug)]
struct Side<'a> {
    value: Option<Piece<'a>>,
    /// In the order of their names.
    parties: Vec<usize>,
}

/// What a person's decision comes to.
#[derive(Debug)]
pub(super) enum Taken<'a> {
    /// There is none that could be carried out: nobody knows what that source holds, or an element lacks its key.
    Nothing,
    Holds(Option<Piece<'a>>),
}

impl<'a> Walk<'a> {
    /// Decides a place whole.
    pub(super) fn decide(&mut self, signs: &Signs<'a>, agreed: Option<&'a Json>, sites: &[Site<'a>]) -> Verdict<'a> {
        let place = &signs.place;
        let news: Vec<usize> = (0..sites.len()).filter(|party| sites[*party].has_news(place, agreed)).collect();
        if news.is_empty() {
            return self.conclude(signs, agreed, sites, agreed.map(Piece::Shared));
        }
        for party in &news {
            self.parties[*party].news = true;
        }
        let mut sides = sides(signs, agreed, sites, &news);
        let behind = news.iter().any(|party| sites[*party].is_behind(place, agreed));
        let lenient = self.is_lenient(signs, agreed, sites, &news);
        let held = self.held(signs);
        let ruling = match (held, self.rule(signs, &sides, behind, lenient)) {
            (None, ruling) => ruling,
            // What sources fought over is as open to them as before once they have come to agree.
            (Some(ConflictKind::Oscillation), Ruling::Side(side)) if at_peace(signs, agreed, sites) => {
                Ruling::Side(side)
            }
            (Some(_), _) => Ruling::Held,
        };
        let kind = match ruling {
            Ruling::Side(side) => {
                let value = sides.swap_remove(side).value;
                return self.accept(signs, agreed, sites, &news, value);
            }
            Ruling::Stays => return self.accept(signs, agreed, sites, &news, agreed.map(Piece::Shared)),
            Ruling::Held => held.unwrap_or(ConflictKind::Held),
            Ruling::Contradiction if sides.iter().any(|side| side.value.is_none()) => ConflictKind::EditDelete,
            Ruling::Contradiction if behind && agreed.is_none() => ConflictKind::EditDelete,
            Ruling::Contradiction => ConflictKind::EditEdit,
        };
        match self.taken(signs, agreed, sites) {
            Taken::Holds(value) => {
                self.found.decided.push(self.here());
                self.accept(signs, agreed, sites, &news, value)
            }
            Taken::Nothing => {
                if lenient {
                    self.note_unknown(&news);
                }
                if kind == ConflictKind::Oscillation {
                    sides = self::sides(signs, agreed, sites, &fighters(place, agreed, sites));
                }
                self.leave_open(kind, agreed, sites, sides)
            }
        }
    }

    /// Returns the reason for which news at this place waits for a person, whatever the policy is; those about the whole
    /// document are not the walk's.
    pub(super) fn held(&self, signs: &Signs<'a>) -> Option<ConflictKind> {
        signs.held().filter(|_| !self.path.is_empty())
    }

    /// Applies the policy.
    fn rule(&self, signs: &Signs<'a>, sides: &[Side<'a>], behind: bool, lenient: bool) -> Ruling {
        let mut newsmakers: Vec<(usize, usize)> = Vec::new();
        for (side, stand) in sides.iter().enumerate() {
            newsmakers.extend(stand.parties.iter().map(|party| (*party, side)));
        }
        newsmakers.sort_unstable();
        let newsmakers = newsmakers.into_iter().map(|(party, side)| Newsmaker { name: self.parties[party].name, side });
        rule(signs.policy, &newsmakers.collect::<Vec<_>>(), sides.len() > 1 || behind, lenient)
    }

    /// Says whether what a trusted source has no news of is accepted from others: at first sight of a record of which
    /// it has no copy, and as long as what was found then is open.
    pub(super) fn is_lenient(
        &self,
        signs: &Signs<'a>,
        agreed: Option<&Json>,
        sites: &[Site<'a>],
        news: &[usize],
    ) -> bool {
        let trusting = matches!(signs.policy, MergePolicy::TrustOnly(_));
        let open_since = agreed.is_none() && news.iter().any(|party| !sites[*party].unknown.is_nothing());
        self.lacks_the_trusted(signs.policy) || trusting && open_since
    }

    /// Says whether this is a new record of which the source that is trusted has no copy.
    pub(super) fn lacks_the_trusted(&self, policy: &MergePolicy) -> bool {
        match policy {
            MergePolicy::TrustOnly(trusted) => self.first_sight && self.party(trusted).is_none(),
            MergePolicy::IgnoreConflicts | MergePolicy::AcceptAll | MergePolicy::RejectAll | MergePolicy::Prefer(_) => {
                false
            }
        }
    }

    /// Returns the position of a source that takes part.
    pub(super) fn party(&self, name: &SourceName) -> Option<usize> {
        self.parties.iter().position(|party| party.name == name)
    }

    /// Returns what a person's decision about this place comes to; those about the whole document are not the walk's.
    fn taken(&self, signs: &Signs<'a>, agreed: Option<&'a Json>, sites: &[Site<'a>]) -> Taken<'a> {
        match signs.decision().filter(|_| !self.path.is_empty()) {
            Some(Decision::Take(source)) => self.take(source, agreed, sites),
            Some(Decision::Value(value)) if !self.has_its_name(signs, value) => Taken::Nothing,
            Some(Decision::Value(value)) => Taken::Holds(Some(Piece::Shared(value))),
            Some(Decision::Absent) => Taken::Holds(None),
            Some(Decision::Keep) => Taken::Holds(agreed.map(Piece::Shared)),
            None => Taken::Nothing,
        }
    }

    /// Says whether a value can stand here: an element of a keyed array must bear its key.
    fn has_its_name(&self, signs: &Signs<'a>, value: &Json) -> bool {
        let Some(key) = signs.key else { return true };
        value.as_object().and_then(|members| members.get(key)?.as_text()) == self.path.last().copied()
    }

    /// Returns what a source holds at a place.
    pub(super) fn take(&self, source: &SourceName, agreed: Option<&'a Json>, sites: &[Site<'a>]) -> Taken<'a> {
        match self.party(source).map(|party| &sites[party]) {
            Some(site) if site.is_aside() => Taken::Nothing,
            Some(site) => Taken::Holds(site.proposal(agreed)),
            None if self.lacking.contains(source) => Taken::Holds(None),
            None => Taken::Nothing,
        }
    }

    /// Makes `value` the agreed one, and overrules the news that differs.
    fn accept(
        &mut self,
        signs: &Signs<'a>,
        agreed: Option<&'a Json>,
        sites: &[Site<'a>],
        news: &[usize],
        value: Option<Piece<'a>>,
    ) -> Verdict<'a> {
        let now = value.as_ref().map(Piece::get);
        let (won, lost): (Vec<usize>, Vec<usize>) =
            news.iter().partition(|party| sites[**party].fields.same(&signs.place, sites[**party].reading, now));
        for party in lost {
            let value = sites[party].holding().map(Piece::into_json);
            let source = self.parties[party].name.clone();
            self.found.overruled.push(Overruled { path: self.here(), source, value });
        }
        if now != agreed {
            let sources = won.into_iter().map(|party| self.parties[party].name.clone()).collect();
            let change = Change { path: self.here(), before: agreed.cloned(), after: now.cloned(), sources };
            self.found.changes.push(change);
        }
        self.conclude(signs, agreed, sites, value)
    }

    /// Deals with every copy at a place where it is clear what is agreed.
    fn conclude(
        &mut self,
        signs: &Signs<'a>,
        was: Option<&'a Json>,
        sites: &[Site<'a>],
        now: Option<Piece<'a>>,
    ) -> Verdict<'a> {
        let dealt = sites.iter().enumerate().map(|(party, site)| self.settle(party, signs, site, was, now.as_ref()));
        let dealt = dealt.collect();
        Verdict { agreed: now, dealt }
    }

    /// Notes that the place stays open since first sight: once the trusted source has a copy, nothing else tells.
    fn note_unknown(&mut self, news: &[usize]) {
        let here = self.here();
        for party in news {
            self.parties[*party].marks.unknown.push(here.clone());
        }
    }

    /// Leaves a place to a person: nothing moves there.
    fn leave_open(
        &mut self,
        kind: ConflictKind,
        agreed: Option<&'a Json>,
        sites: &[Site<'a>],
        sides: Vec<Side<'a>>,
    ) -> Verdict<'a> {
        let contender = |side: Side<'a>| Contender {
            sources: side.parties.into_iter().map(|party| self.parties[party].name.clone()).collect(),
            value: side.value.map(Piece::into_json),
        };
        let contenders = sides.into_iter().map(contender).collect();
        self.found.conflicts.push(Conflict { path: self.here(), kind, agreed: agreed.cloned(), contenders });
        let dealt = sites.iter().enumerate().map(|(party, site)| self.leave(party, site)).collect();
        Verdict { agreed: agreed.map(Piece::Shared), dealt }
    }
}

/// Returns the sources between which a place goes back and forth: those with news, and those that stand for what is agreed.
fn fighters(place: &Place<'_>, agreed: Option<&Json>, sites: &[Site<'_>]) -> Vec<usize> {
    let fights = |site: &Site<'_>| site.has_news(place, agreed) || !site.is_aside() && !site.is_behind(place, agreed);
    (0..sites.len()).filter(|party| fights(&sites[*party])).collect()
}

/// Says whether those between which a place went back and forth stand for one value now.
fn at_peace<'a>(signs: &Signs<'a>, agreed: Option<&'a Json>, sites: &[Site<'a>]) -> bool {
    sides(signs, agreed, sites, &fighters(&signs.place, agreed, sites)).len() <= 1
}

/// Groups sources by the value for which they stand.
fn sides<'a>(signs: &Signs<'a>, agreed: Option<&'a Json>, sites: &[Site<'a>], parties: &[usize]) -> Vec<Side<'a>> {
    let mut sides: Vec<Side<'a>> = Vec::new();
    for party in parties {
        let value = sites[*party].proposal(agreed);
        let same = |side: &&mut Side<'a>| match (&side.value, &value) {
            (Some(a), Some(b)) => signs.place.same(a.get(), b.get()),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        match sides.iter_mut().find(same) {
            Some(side) => side.parties.push(*party),
            None => sides.push(Side { value, parties: vec![*party] }),
        }
    }
    sides
}
