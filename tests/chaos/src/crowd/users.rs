//! Users, who create, edit and delete items at the systems they work with, and never look at the others.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Crowd;
use super::document::{POINTERS, Values, put};
use crate::books::{EntityFacts, SourceFacts, Tidying};
use crate::chance::Chance;
use crate::clock;
use crate::scenario::PULSE;
use crate::sim::system::{Deed, System};
use crate::sim::tidy::tidied;

/// How many items an entity has at most in one system.
const ITEMS: usize = 40;
/// How many edits of a thousand are made to two copies of an item at once.
const TWINS: u64 = 300;

/// One who edits.
pub(super) struct User<'a> {
    pub(super) crowd: &'a Crowd,
    name: String,
    pub(super) chance: Chance,
    values: Values,
}

/// Edits until the crowd is calm; `number` tells users apart.
///
/// # Errors
/// A system's file cannot be used: the run shows nothing.
pub fn work(crowd: &Crowd, number: u32) -> rusqlite::Result<()> {
    let _present = crowd.come();
    let mut user = User::new(crowd, &format!("u{number}"));
    if number == 1 {
        user.move_in()?;
    }
    while crowd.is_busy() {
        thread::sleep(Duration::from_millis(user.chance.within(60..500)));
        if !crowd.is_backed_up() {
            user.act()?;
        }
    }
    if number == 1 {
        user.tell_all()?;
    }
    user.say_last_words()
}

impl<'a> User<'a> {
    pub(super) fn new(crowd: &'a Crowd, name: &str) -> Self {
        let chance = Chance::new(crowd.facts.seed, name);
        Self { crowd, name: name.to_owned(), chance, values: Values::of(name) }
    }

    fn act(&mut self) -> rusqlite::Result<()> {
        let crowd = self.crowd;
        let entities: Vec<&EntityFacts> = crowd.facts.entities.iter().filter(|entity| entity.name != PULSE).collect();
        let Some(entity) = self.chance.pick(&entities).copied() else { return Ok(()) };
        let Some(source) = self.chance.pick(&entity.sources) else { return Ok(()) };
        let items = self.open(entity, source)?.list()?;
        let touched = match self.chance.below(100) {
            0..8 => self.delete(entity, source, &items)?,
            8..30 if items.len() < ITEMS => self.create(entity, source)?,
            30..36 => self.interrupt(entity, source, &items)?,
            _ => self.edit(entity, source, &items)?,
        };
        self.tell(entity, touched);
        Ok(())
    }

    /// Tells the daemons of what was touched.
    pub(super) fn tell(&self, entity: &EntityFacts, touched: Vec<(String, String)>) {
        self.crowd.edits.fetch_add(touched.len() as u64, Ordering::SeqCst);
        for (source, key) in touched {
            self.crowd.tell(&self.name, (&entity.name, &source, &key));
        }
    }

    /// Writes a value at one place of an item, and tells of it; says whether the item was there.
    pub(super) fn edit_at(
        &mut self,
        (entity, source): (&EntityFacts, &SourceFacts),
        key: &str,
        pointer: &str,
    ) -> rusqlite::Result<bool> {
        let touched = self.write(entity, source, key, pointer)?;
        let is_there = touched.is_some();
        self.tell(entity, touched.into_iter().collect());
        Ok(is_there)
    }

    pub(super) fn open(&self, entity: &EntityFacts, source: &SourceFacts) -> rusqlite::Result<System> {
        System::open(&self.crowd.run.source_path(&entity.name, &source.name))
    }

    /// Gives an item that nobody had before.
    pub(super) fn item(&mut self) -> Value {
        self.values.item(&mut self.chance)
    }

    /// Makes an item; where copies are matched, now and then at another system too.
    fn create(&mut self, entity: &EntityFacts, source: &SourceFacts) -> rusqlite::Result<Vec<(String, String)>> {
        let item = self.item();
        let mut touched = vec![self.insert(entity, source, &item)?];
        let twin = self.chance.pick(&entity.sources).filter(|twin| twin.name != source.name);
        if let Some(twin) = twin.cloned()
            && !entity.matching.is_empty()
            && self.chance.per_mille(400)
        {
            let mut other = item;
            if self.chance.per_mille(300) {
                put(&mut other, "/a", self.values.fresh(&mut self.chance));
            }
            touched.push(self.insert(entity, &twin, &other)?);
        }
        Ok(touched)
    }

    pub(super) fn insert(
        &mut self,
        entity: &EntityFacts,
        source: &SourceFacts,
        item: &Value,
    ) -> rusqlite::Result<(String, String)> {
        let mut item = item.clone();
        if !source.fields.is_empty()
            && let Some(members) = item.as_object_mut()
        {
            members.retain(|name, _| source.fields.iter().any(|field| field.trim_start_matches('/') == name));
        }
        let mut system = self.open(entity, source)?;
        let work = system.begin()?;
        let key = format!("{}{}{}", source.name, ["-", "."][self.chance.below(2) as usize], work.count("keys")?);
        let document = stored(source, &item);
        work.create(&key, &document, &Deed::of_user(None))?;
        if source.tidies == Tidying::Later && tidied(&document) != document {
            work.set_untidy(&key, Some(clock::now() + 500_000))?;
        }
        work.commit()?;
        Ok((source.name.clone(), key))
    }

    /// Writes a value into an item; now and then into another copy of it too, at the same place or at another one.
    fn edit(
        &mut self,
        entity: &EntityFacts,
        source: &SourceFacts,
        items: &[(String, String)],
    ) -> rusqlite::Result<Vec<(String, String)>> {
        let Some((key, document)) = self.chance.pick(items).cloned() else { return Ok(Vec::new()) };
        let pointer = self.pointer(source);
        let mut touched = Vec::new();
        touched.extend(self.write(entity, source, &key, pointer)?);
        let twin = self.chance.pick(&entity.sources).filter(|twin| twin.name != source.name).cloned();
        if let Some(twin) = twin
            && self.chance.per_mille(TWINS)
        {
            let is_shared = is_held(&twin, pointer) && self.chance.per_mille(500);
            let pointer = if is_shared { pointer } else { self.pointer(&twin) };
            if let Some(key) = self.copy(entity, &twin, &document)? {
                touched.extend(self.write(entity, &twin, &key, pointer)?);
            }
        }
        Ok(touched)
    }

    /// Gives the key of another source's copy of an item.
    pub(super) fn copy(
        &self,
        entity: &EntityFacts,
        source: &SourceFacts,
        document: &str,
    ) -> rusqlite::Result<Option<String>> {
        let document = serde_json::from_str::<Value>(document).unwrap_or_default();
        let identity = document["id"].as_str().unwrap_or_default();
        Ok(self.open(entity, source)?.list_identical(identity)?.into_iter().next())
    }

    pub(super) fn pointer(&mut self, source: &SourceFacts) -> &'static str {
        let held: Vec<&'static str> = POINTERS.into_iter().filter(|pointer| is_held(source, pointer)).collect();
        self.chance.pick(&held).copied().unwrap_or("/a")
    }

    pub(super) fn write(
        &mut self,
        entity: &EntityFacts,
        source: &SourceFacts,
        key: &str,
        pointer: &str,
    ) -> rusqlite::Result<Option<(String, String)>> {
        let value = self.values.fresh(&mut self.chance);
        let mut system = self.open(entity, source)?;
        let work = system.begin()?;
        let Some(before) = work.find(key)? else { return Ok(None) };
        let Ok(mut document) = serde_json::from_str::<Value>(&before) else { return Ok(None) };
        let seen = Map::from_iter([(pointer.to_owned(), put(&mut document, pointer, value))]);
        let document = stored(source, &document);
        work.update(key, key, &document, &Deed::of_user(Some(Value::Object(seen).to_string())))?;
        if source.tidies == Tidying::Later && tidied(&document) != document {
            work.set_untidy(key, Some(clock::now() + 500_000))?;
        }
        work.commit()?;
        Ok(Some((source.name.clone(), key.to_owned())))
    }

    fn delete(
        &mut self,
        entity: &EntityFacts,
        source: &SourceFacts,
        items: &[(String, String)],
    ) -> rusqlite::Result<Vec<(String, String)>> {
        let Some((key, _)) = self.chance.pick(items) else { return Ok(Vec::new()) };
        let mut system = self.open(entity, source)?;
        let work = system.begin()?;
        if work.find(key)?.is_none() {
            return Ok(Vec::new());
        }
        work.delete(key, None, &Deed::of_user(None))?;
        work.commit()?;
        Ok(vec![(source.name.clone(), key.clone())])
    }
}

/// Tells whether a source has that part of the document.
pub(super) fn is_held(source: &SourceFacts, pointer: &str) -> bool {
    source.fields.is_empty() || source.fields.iter().any(|field| pointer.starts_with(field.as_str()))
}

/// Gives a document as the system stores it, whoever writes.
fn stored(source: &SourceFacts, document: &Value) -> String {
    match source.tidies {
        Tidying::AtWrite => tidied(&document.to_string()),
        Tidying::Never | Tidying::Later => document.to_string(),
    }
}
