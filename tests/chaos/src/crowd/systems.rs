//! What systems do by themselves: they tidy what they were given, and tell retcon of changes that retcon made itself.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use super::Crowd;
use crate::books::{Author, EntityFacts, SourceFacts, Tidying};
use crate::chance::Chance;
use crate::sim::system::{Deed, System};
use crate::sim::tidy::tidied;

/// How often retcon's own changes are told back to it, out of a thousand.
const ECHO: u64 = 250;

/// Works until the crowd is dismissed.
///
/// # Errors
/// A system's file cannot be used: the run shows nothing.
pub fn work(crowd: &Crowd) -> rusqlite::Result<()> {
    let mut chance = Chance::new(crowd.facts.seed, "systems");
    let mut seen: BTreeMap<(String, String), i64> = BTreeMap::new();
    while crowd.is_there() {
        for entity in &crowd.facts.entities {
            for source in &entity.sources {
                let mut system = System::open(&crowd.run.source_path(&entity.name, &source.name))?;
                if source.tidies == Tidying::Later {
                    tidy(crowd, entity, source, &mut system)?;
                }
                let seen = seen.entry((entity.name.clone(), source.name.clone())).or_default();
                for (seq, key, author) in system.list_changed(*seen)? {
                    *seen = seq;
                    if author == Author::Retcon && crowd.is_busy() && chance.per_mille(ECHO) {
                        crowd.tell("system", (&entity.name, &source.name, &key));
                    }
                }
            }
        }
        thread::sleep(Duration::from_millis(300));
    }
    Ok(())
}

/// Tidies what is due.
fn tidy(crowd: &Crowd, entity: &EntityFacts, source: &SourceFacts, system: &mut System) -> rusqlite::Result<()> {
    for key in system.list_untidy()? {
        let work = system.begin()?;
        work.set_untidy(&key, None)?;
        let untidy = work.find(&key)?.filter(|document| tidied(document) != *document);
        if let Some(document) = &untidy {
            work.update(&key, &key, &tidied(document), &Deed::of_source())?;
        }
        work.commit()?;
        if untidy.is_some() {
            crowd.tell("system", (&entity.name, &source.name, &key));
        }
    }
    Ok(())
}

/// Tells whether any system has something to tidy.
///
/// # Errors
/// A system's file cannot be used.
pub fn is_untidy(crowd: &Crowd) -> rusqlite::Result<bool> {
    for entity in &crowd.facts.entities {
        for source in entity.sources.iter().filter(|source| source.tidies == Tidying::Later) {
            if System::open(&crowd.run.source_path(&entity.name, &source.name))?.is_untidy()? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
