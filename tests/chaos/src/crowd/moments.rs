//! What users do at moments that chance alone would seldom hit on.

use std::time::{Duration, Instant};

use crate::books::{EntityFacts, RunEvent, SourceFacts};
use crate::scenario::PULSE;

use super::users::{User, is_held};

/// How many items the busiest entity gets at once when everything begins.
const MOVED_IN: usize = 30;
/// How many things each user does of each kind, in each entity, before going home.
const LAST_WORDS: usize = 2;
/// How long a read may take to come.
const TO_READ: Duration = Duration::from_secs(4);
/// How often it is looked whether it has come.
const PAUSE: Duration = Duration::from_millis(4);

impl User<'_> {
    /// Fills the first system of each entity that has a throttle, and tells of everything as fast as that goes.
    pub(super) fn move_in(&mut self) -> rusqlite::Result<()> {
        for entity in self.crowd.facts.entities.iter().filter(|entity| entity.throttle.is_some()) {
            let Some(source) = entity.sources.first() else { continue };
            let mut made = Vec::new();
            for _ in 0..MOVED_IN {
                let item = self.item();
                made.push(self.insert(entity, source, &item)?);
            }
            self.tell(entity, made);
        }
        Ok(())
    }

    /// Tells of everything that there is in entities that have a throttle.
    pub(super) fn tell_all(&mut self) -> rusqlite::Result<()> {
        for entity in self.crowd.facts.entities.iter().filter(|entity| entity.throttle.is_some()) {
            let Some(source) = entity.sources.first() else { continue };
            let items = self.open(entity, source)?.list()?;
            self.tell(entity, items.into_iter().map(|(key, _)| (source.name.clone(), key)).collect());
        }
        Ok(())
    }

    /// Edits items, as nobody does afterwards: what is lost now, no later look finds by chance.
    pub(super) fn say_last_words(&mut self) -> rusqlite::Result<()> {
        let entities: Vec<&EntityFacts> =
            self.crowd.facts.entities.iter().filter(|entity| entity.name != PULSE).collect();
        for _ in 0..LAST_WORDS {
            for entity in &entities {
                let Some(source) = self.chance.pick(&entity.sources) else { continue };
                let items = self.open(entity, source)?.list()?;
                let touched = self.contradict(entity, source, &items)?;
                self.tell(entity, touched);
                let touched = self.interrupt(entity, source, &items)?;
                self.tell(entity, touched);
            }
        }
        Ok(())
    }

    /// Writes into an item twice: the second time when the look at the first has just read it, and still has something to do.
    pub(super) fn interrupt(
        &mut self,
        entity: &EntityFacts,
        source: &SourceFacts,
        items: &[(String, String)],
    ) -> rusqlite::Result<Vec<(String, String)>> {
        let Some((key, _)) = self.chance.pick(items) else { return Ok(Vec::new()) };
        let pointer = self.pointer(source);
        let book = self.crowd.run.runs_length(&entity.name, &source.name);
        if !self.edit_at((entity, source), key, pointer)? {
            return Ok(Vec::new());
        }
        self.await_read((entity, source), key, book);
        Ok(self.write(entity, source, key, pointer)?.into_iter().collect())
    }

    /// Waits until a read of an item has ended that was entered in the book of runs behind this place.
    fn await_read(&self, (entity, source): (&EntityFacts, &SourceFacts), key: &str, book: u64) {
        let deadline = Instant::now() + TO_READ;
        while Instant::now() < deadline {
            let lines = self.crowd.run.runs_from(&entity.name, &source.name, book).unwrap_or_default();
            let reads = lines.iter().filter(|line| match &line.event {
                RunEvent::Start { operation, key: of, .. } => operation == "read" && of.as_deref() == Some(key),
                RunEvent::Overlap { .. } | RunEvent::Fault { .. } | RunEvent::End { .. } => false,
            });
            let has_ended = |name: &str| {
                lines.iter().any(|line| line.run == name && matches!(line.event, RunEvent::End { exit: 0, .. }))
            };
            if reads.into_iter().any(|read| has_ended(&read.run)) {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Writes different values at the same place of all copies of an item, before anybody is told of any.
    pub(super) fn contradict(
        &mut self,
        entity: &EntityFacts,
        source: &SourceFacts,
        items: &[(String, String)],
    ) -> rusqlite::Result<Vec<(String, String)>> {
        let Some((key, document)) = self.chance.pick(items).cloned() else { return Ok(Vec::new()) };
        let pointer = "/a";
        let mut touched: Vec<_> = self.write(entity, source, &key, pointer)?.into_iter().collect();
        for other in entity.sources.iter().filter(|other| other.name != source.name && is_held(other, pointer)) {
            if let Some(key) = self.copy(entity, other, &document)? {
                touched.extend(self.write(entity, other, &key, pointer)?);
            }
        }
        Ok(touched)
    }
}
