//! What a run does at its system.

use std::time::Duration;

use serde_json::Value;

use super::fault::Fault;
use super::system::{Deed, System, Work};
use super::tidy::tidied;
use super::{End, Run, SimError, hash, stdin};
use crate::books::{Author, RunEvent, Tidying};
use crate::client;
use crate::clock::{self, Micros};

/// How long a stale read shows what was deleted: well within the settling time of the daemon.
const STALE: Micros = 8_000_000;
/// How long a system that tidies later takes for it.
const TIDIED_AFTER: Micros = 400_000;
/// How long a program that talks first waits for the daemon.
const TALK: Duration = Duration::from_millis(1500);
/// What a key may be joined with.
const JOINTS: [&str; 5] = ["-", ".", ",", "_", " "];

impl Run {
    pub(super) fn operate(&mut self, system: &mut System) -> Result<End, SimError> {
        let key = self.key.clone().unwrap_or_default();
        match self.operation.as_str() {
            "create" => self.create(system),
            "read" => read(system, &key),
            "update" => self.update(system, &key),
            "delete" => self.delete(system, &key),
            "list" => {
                let keys = system.list()?.into_iter().map(|(key, _)| key + "\n");
                Ok(End::of(keys.collect::<String>()))
            }
            "find" => self.find(system),
            _ => Err(SimError::Usage),
        }
    }

    fn create(&mut self, system: &mut System) -> Result<End, SimError> {
        let Some(document) = self.document()? else { return Ok(half()) };
        let work = system.begin()?;
        if self.source.idempotent
            && let Some(made) = self.operation_id.as_deref().map(|id| work.find_made(id)).transpose()?.flatten()
        {
            return Ok(End::of(made));
        }
        let key = self.new_key(&work)?;
        work.create(&key, &document, &self.deed())?;
        self.leave_untidy(&work, &key, &document)?;
        work.commit()?;
        if self.source.talks_first {
            self.talk(&key)?;
        }
        Ok(End::of(key))
    }

    fn update(&mut self, system: &mut System, key: &str) -> Result<End, SimError> {
        let Some(document) = self.document()? else { return Ok(half()) };
        let work = system.begin()?;
        let Some(before) = work.find(key)? else { return Ok(missing(key)) };
        if !self.is_as_expected(&before) {
            return Ok(End::failed(5, "somebody else was faster"));
        }
        let is_rekeyed = self.source.rekeys && self.chance.per_mille(400);
        let new_key = if is_rekeyed { self.new_key(&work)? } else { key.to_owned() };
        work.update(key, &new_key, &document, &self.deed())?;
        self.leave_untidy(&work, &new_key, &document)?;
        work.commit()?;
        if is_rekeyed {
            self.log(RunEvent::Fault { class: "source-re-key".to_owned() })?;
        }
        Ok(End::of(if is_rekeyed { new_key } else { String::new() }))
    }

    fn delete(&mut self, system: &mut System, key: &str) -> Result<End, SimError> {
        let work = system.begin()?;
        let Some(before) = work.find(key)? else { return Ok(missing(key)) };
        if !self.is_as_expected(&before) {
            return Ok(End::failed(5, "somebody else was faster"));
        }
        let ghost = (self.fault == Some(Fault::Stale)).then(|| clock::now() + STALE);
        work.delete(key, ghost, &self.deed())?;
        work.commit()?;
        Ok(End::of(""))
    }

    fn find(&self, system: &System) -> Result<End, SimError> {
        let Some(wanted) = self.document()? else { return Ok(half()) };
        let wanted: Value = serde_json::from_str(&wanted).unwrap_or(Value::Null);
        let is_equal = |document: &str| {
            let document: Value = serde_json::from_str(document).unwrap_or(Value::Null);
            let pointers = &self.entity.matching;
            if pointers.is_empty() {
                document == wanted
            } else {
                pointers.iter().all(|p| document.pointer(p) == wanted.pointer(p))
            }
        };
        let found = system.list()?.into_iter().filter(|(_, document)| is_equal(document));
        Ok(End::of(found.map(|(key, _)| key + "\n").collect::<String>()))
    }

    /// Gives the document of this run as its system stores it; `None` for what is none, or only half of one.
    fn document(&self) -> Result<Option<String>, SimError> {
        let text = stdin()?;
        let is_whole = text.ends_with('\n') && serde_json::from_str::<Value>(&text).is_ok();
        Ok(is_whole.then(|| self.stored(&text)))
    }

    /// Gives a document as this system stores it.
    fn stored(&self, document: &str) -> String {
        let document = document.trim_end_matches('\n');
        match self.source.tidies {
            Tidying::AtWrite => tidied(document),
            Tidying::Never | Tidying::Later => document.to_owned(),
        }
    }

    fn leave_untidy(&self, work: &Work<'_>, key: &str, document: &str) -> Result<(), SimError> {
        if self.source.tidies == Tidying::Later && tidied(document) != document {
            work.set_untidy(key, Some(clock::now() + TIDIED_AFTER))?;
        }
        Ok(())
    }

    fn is_as_expected(&self, document: &str) -> bool {
        !self.source.compares || self.expected.as_ref().is_none_or(|expected| *expected == hash(document))
    }

    fn new_key(&mut self, work: &Work<'_>) -> Result<String, SimError> {
        let number = work.count("keys")?;
        let joint = self.chance.pick(&JOINTS).copied().unwrap_or("-");
        Ok(format!("{}{joint}{number}", self.source.name))
    }

    fn deed(&self) -> Deed<'_> {
        let fault = self.fault.and_then(Fault::after_effect);
        let can_be_asked = self.source.find || self.source.list || self.source.idempotent;
        Deed {
            author: Author::Retcon,
            operation: self.operation_id.as_deref(),
            run: Some(&self.name),
            seen: None,
            fault,
            excused: self.operation == "create" && self.fault == Some(Fault::ApplyExit1) && !can_be_asked,
        }
    }

    /// Tells a daemon of the new key before it is printed.
    fn talk(&self, key: &str) -> Result<(), SimError> {
        let copy = (self.entity.name.as_str(), self.source.name.as_str(), key);
        let is_heard = (1..=self.daemons).any(|daemon| client::notify(&self.dir, "sim", daemon, copy, TALK));
        if is_heard {
            self.log(RunEvent::Fault { class: "source-talk-first".to_owned() })?;
        }
        Ok(())
    }
}

fn read(system: &System, key: &str) -> Result<End, SimError> {
    Ok(match system.find(key)? {
        Some(document) => End::of(document),
        None => match system.find_ghost(key)? {
            Some(ghost) => End::of(ghost),
            None => missing(key),
        },
    })
}

fn half() -> End {
    End::failed(3, "that is no document, or half of one")
}

fn missing(key: &str) -> End {
    End::failed(2, &format!("there is no item {key}"))
}
