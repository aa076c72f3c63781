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

/// One who edits.
struct User<'a> {
    crowd: &'a Crowd,
    name: String,
    chance: Chance,
    values: Values,
}

/// Edits until the crowd is calm; `number` tells users apart.
///
/// # Errors
/// A system's file cannot be used: the run shows nothing.
pub fn work(crowd: &Crowd, number: u32) -> rusqlite::Result<()> {
    let name = format!("u{number}");
    let chance = Chance::new(crowd.facts.seed, &name);
    let mut user = User { crowd, values: Values::of(&name), name, chance };
    while crowd.is_busy() {
        thread::sleep(Duration::from_millis(user.chance.within(60..500)));
        if !crowd.is_backed_up() {
            user.act()?;
        }
    }
    Ok(())
}

impl User<'_> {
    fn act(&mut self) -> rusqlite::Result<()> {
        let crowd = self.crowd;
        let entities: Vec<&EntityFacts> = crowd.facts.entities.iter().filter(|entity| entity.name != PULSE).collect();
        let Some(entity) = self.chance.pick(&entities).copied() else { return Ok(()) };
        let Some(source) = self.chance.pick(&entity.sources) else { return Ok(()) };
        let items = self.open(entity, source)?.list()?;
        let touched = match self.chance.below(100) {
            0..8 => self.delete(entity, source, &items)?,
            8..30 if items.len() < ITEMS => self.create(entity, source)?,
            _ => self.edit(entity, source, &items)?,
        };
        crowd.edits.fetch_add(touched.len() as u64, Ordering::SeqCst);
        for (source, key) in touched {
            crowd.tell(&self.name, (&entity.name, &source, &key));
        }
        Ok(())
    }

    fn open(&self, entity: &EntityFacts, source: &SourceFacts) -> rusqlite::Result<System> {
        System::open(&self.crowd.run.source_path(&entity.name, &source.name))
    }

    /// Makes an item; where copies are matched, now and then at another system too.
    fn create(&mut self, entity: &EntityFacts, source: &SourceFacts) -> rusqlite::Result<Vec<(String, String)>> {
        let item = self.values.item(&mut self.chance);
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

    fn insert(
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
            && self.chance.per_mille(200)
        {
            let identity = serde_json::from_str::<Value>(&document).ok();
            let identity = identity.as_ref().and_then(|document| document["id"].as_str()).unwrap_or_default();
            let same = self.open(entity, &twin)?.list_identical(identity)?;
            let is_shared = is_held(&twin, pointer) && self.chance.per_mille(500);
            let pointer = if is_shared { pointer } else { self.pointer(&twin) };
            if let Some(key) = same.first() {
                touched.extend(self.write(entity, &twin, key, pointer)?);
            }
        }
        Ok(touched)
    }

    fn pointer(&mut self, source: &SourceFacts) -> &'static str {
        let held: Vec<&'static str> = POINTERS.into_iter().filter(|pointer| is_held(source, pointer)).collect();
        self.chance.pick(&held).copied().unwrap_or("/a")
    }

    fn write(
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
fn is_held(source: &SourceFacts, pointer: &str) -> bool {
    source.fields.is_empty() || source.fields.iter().any(|field| pointer.starts_with(field.as_str()))
}

/// Gives a document as the system stores it, whoever writes.
fn stored(source: &SourceFacts, document: &Value) -> String {
    match source.tidies {
        Tidying::AtWrite => tidied(&document.to_string()),
        Tidying::Never | Tidying::Later => document.to_string(),
    }
}
