//! Arrays that are sets: element by element, as long as every change can be accepted.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::json::Json;
use crate::domain::spelling::Place;

use super::Change;
use super::bases::Dealt;
use super::guide::Signs;
use super::piece::{Piece, Shape};
use super::policy::{Newsmaker, Ruling, rule};
use super::site::Site;
use super::walk::{Verdict, Walk};

/// The elements that anybody has, by the form that all their spellings share.
type Table<'a> = BTreeMap<Cow<'a, Json>, Row<'a>>;

/// Who has one element.
#[derive(Debug)]
struct Row<'a> {
    agreed: Option<&'a Json>,
    /// By party.
    copies: Vec<Cell<'a>>,
    /// What is agreed from now on, in its spelling.
    next: Option<&'a Json>,
}

/// What one source has of one element.
#[derive(Debug, Clone)]
struct Cell<'a> {
    /// Whether the copy is merged by element at all.
    joins: bool,
    reading: Option<&'a Json>,
    shadow: bool,
    ack: bool,
}

impl<'a> Walk<'a> {
    /// Merges a set element by element, or decides it whole if not every change can be accepted.
    pub(super) fn visit_set(&mut self, signs: &Signs<'a>, agreed: Option<&'a Json>, sites: &[Site<'a>]) -> Verdict<'a> {
        let mut table = table(&signs.place, agreed, sites);
        let mut newsmakers = BTreeSet::new();
        for row in table.values_mut() {
            let news: Vec<usize> = (0..sites.len()).filter(|party| row.has_news(*party, &sites[*party])).collect();
            if !news.is_empty() && !self.accepts(signs, row, sites, &news) {
                return self.decide(signs, agreed, sites);
            }
            let shown = news.first().map(|party| row.copies[*party].reading);
            row.next = shown.unwrap_or(row.agreed);
            newsmakers.extend(news);
        }
        let now = if newsmakers.is_empty() {
            agreed.map(Piece::Shared)
        } else {
            Some(united(&signs.place, &table, agreed, sites))
        };
        for party in &newsmakers {
            self.parties[*party].news = true;
        }
        if !newsmakers.is_empty() {
            let sources = newsmakers.into_iter().map(|party| self.parties[party].name.clone()).collect();
            let after = now.as_ref().map(|now| now.get().clone());
            self.found.changes.push(Change { path: self.here(), before: agreed.cloned(), after, sources });
        }
        let dealt = sites.iter().enumerate().map(|(party, site)| match site.shape(&signs.place) == Some(Shape::Set) {
            true => self.settle_set(party, &signs.place, &table, site, now.as_ref()),
            false => self.settle(party, signs, site, agreed, now.as_ref()),
        });
        let dealt = dealt.collect();
        Verdict { agreed: now, dealt }
    }

    /// Says whether the policy accepts that these sources add this element, or remove it, without overruling anybody.
    fn accepts(&self, signs: &Signs<'a>, row: &Row<'a>, sites: &[Site<'a>], news: &[usize]) -> bool {
        let behind = |party: &usize| !sites[*party].owed.is_nothing() || row.copies[*party].ack != row.agreed.is_some();
        let newsmakers: Vec<_> =
            news.iter().map(|party| Newsmaker { name: self.parties[*party].name, side: 0 }).collect();
        let ruling =
            rule(signs.policy, &newsmakers, news.iter().any(behind), self.is_lenient(signs, row.agreed, sites, news));
        ruling == Ruling::Side(0)
    }

    /// Deals with one copy of a set.
    fn settle_set(
        &mut self,
        party: usize,
        place: &Place<'a>,
        table: &Table<'a>,
        site: &Site<'a>,
        now: Option<&Piece<'a>>,
    ) -> Dealt<'a> {
        if !table.values().any(|row| row.is_stale(party, site)) {
            return Dealt::InStep;
        }
        let unwritten = table.values().filter_map(|row| match row.is_stale(party, site) {
            false => row.next,
            true if row.is_edited(party, site) => row.agreed,
            true => row.next.or(row.agreed).or(row.copies[party].reading).filter(|_| row.copies[party].ack),
        });
        let unwritten = Piece::Made(unwritten.cloned().collect());
        let here = self.here();
        self.parties[party].marks.owed_failed.extend(site.owed.places(&here));
        if self.parties[party].away {
            return Dealt::away(site, Some(unwritten));
        }
        let document = rewritten(place, table, party, site, now);
        Dealt::written(Some(Piece::Made(document)), Some(unwritten))
    }
}

impl Row<'_> {
    fn is_edited(&self, party: usize, site: &Site<'_>) -> bool {
        let cell = &self.copies[party];
        !site.unknown.is_nothing() || cell.reading.is_some() != cell.shadow
    }

    fn has_news(&self, party: usize, site: &Site<'_>) -> bool {
        let cell = &self.copies[party];
        cell.joins && cell.reading.is_some() != self.agreed.is_some() && self.is_edited(party, site)
    }

    /// Says whether the element is to be added to the copy, or removed from it.
    fn is_stale(&self, party: usize, site: &Site<'_>) -> bool {
        let cell = &self.copies[party];
        let behind = !site.owed.is_nothing() || cell.ack != self.next.is_some();
        cell.reading.is_some() != self.next.is_some() && (behind || self.is_edited(party, site))
    }
}

fn table<'a>(place: &Place<'a>, agreed: Option<&'a Json>, sites: &[Site<'a>]) -> Table<'a> {
    let element = place.element();
    let cell = |site: &Site<'a>| Cell {
        joins: site.shape(place) == Some(Shape::Set),
        reading: None,
        shadow: false,
        ack: false,
    };
    let cells: Vec<Cell<'a>> = sites.iter().map(cell).collect();
    let mut table = Table::new();
    let mut note = |value: Option<&'a Json>, noted: &dyn Fn(&mut Row<'a>, &'a Json)| {
        for value in value.and_then(Json::as_array).unwrap_or_default() {
            let fresh = || Row { agreed: None, copies: cells.clone(), next: None };
            noted(table.entry(element.canonical(value)).or_insert_with(fresh), value);
        }
    };
    note(agreed, &|row, value| row.agreed = row.agreed.or(Some(value)));
    for (party, site) in sites.iter().enumerate().filter(|(party, _)| cells[*party].joins) {
        note(site.reading, &|row, value| row.copies[party].reading = row.copies[party].reading.or(Some(value)));
        note(site.shadow, &|row, _| row.copies[party].shadow = true);
        note(site.ack, &|row, _| row.copies[party].ack = true);
    }
    table
}

/// Puts the new agreed set together: in its order, then what is new as the sources, by name, show it.
fn united<'a>(place: &Place<'a>, table: &Table<'a>, agreed: Option<&'a Json>, sites: &[Site<'a>]) -> Piece<'a> {
    let element = place.element();
    let shown = sites.iter().filter(|site| site.shape(place) == Some(Shape::Set)).map(|site| site.reading);
    let shown = std::iter::once(agreed).chain(shown).flatten().filter_map(Json::as_array).flatten();
    let mut seen = BTreeSet::new();
    let stays = shown.filter_map(|value| {
        let (form, row) = table.get_key_value(&element.canonical(value))?;
        row.next.filter(|_| seen.insert(form))
    });
    Piece::Made(stays.cloned().collect())
}

/// Returns the elements of a copy as they are to be written: in its own order, then in the agreed one.
fn rewritten<'a>(place: &Place<'a>, table: &Table<'a>, party: usize, site: &Site<'a>, now: Option<&Piece<'a>>) -> Json {
    let own = site.reading.and_then(Json::as_array).unwrap_or_default();
    let agreed = now.and_then(|now| now.get().as_array()).unwrap_or_default();
    let kept = own.iter().filter(|value| row(place, table, value).is_none_or(|row| !row.is_stale(party, site)));
    let lacks = |row: &Row<'a>| row.copies[party].reading.is_none() && row.is_stale(party, site);
    let added = agreed.iter().filter(|value| row(place, table, value).is_some_and(lacks));
    kept.chain(added).cloned().collect()
}

fn row<'t, 'a>(place: &Place<'_>, table: &'t Table<'a>, element: &Json) -> Option<&'t Row<'a>> {
    table.get(place.element().canonical(element).as_ref())
}
