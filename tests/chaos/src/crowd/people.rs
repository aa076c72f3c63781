//! People who decide what retcon leaves to them: conflicts, doubts, parked work. Of doubts they know the truth.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Crowd, PATIENCE};
use crate::books::{DecisionLine, append};
use crate::chance::Chance;
use crate::client::{self, Answer};
use crate::clock;
use crate::scenario::TIMEOUT;
use crate::sim::system::System;
use crate::stage::daemon;

/// How long a person waits before settling a doubt: by then no run of it can act any more.
const THOUGHT: Duration = Duration::from_micros((3 * TIMEOUT).unsigned_abs());
/// How many conflicts of a hundred that are seen are resolved each second.
const RESOLVED: u64 = 15;

/// What the people remember.
struct People<'a> {
    crowd: &'a Crowd,
    chance: Chance,
    /// Since when a doubt is known.
    doubts: BTreeMap<String, Instant>,
}

/// Decides until the crowd is dismissed.
///
/// # Errors
/// A system's file cannot be used: the run shows nothing.
pub fn work(crowd: &Crowd) -> rusqlite::Result<()> {
    let mut people = People { crowd, chance: Chance::new(crowd.facts.seed, "people"), doubts: BTreeMap::new() };
    while crowd.is_there() {
        people.settle_doubts()?;
        people.retry_parked();
        if crowd.is_busy() {
            people.resolve_conflicts();
        }
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

impl People<'_> {
    /// Lists what any daemon shows; `None` if none answers.
    fn list(&self, path: &str) -> Option<Vec<Value>> {
        let shown = (1..=self.crowd.facts.daemons).find_map(|number| daemon::get(&self.crowd.run, number, path));
        shown.and_then(|shown| shown["items"].as_array().cloned())
    }

    /// Asks the daemons in turn until one answers, and enters what came of it.
    fn ask(&self, kind: &str, seen: &Value, subject: &str, path: &str, asked: &Value) -> Option<Answer> {
        let crowd = self.crowd;
        let at = clock::now();
        let answer = (1..=crowd.facts.daemons).find_map(|number| {
            let socket = client::socket(&crowd.run, number);
            client::call(&socket, "POST", path, Some(asked), PATIENCE).ok()
        });
        let line = DecisionLine {
            at,
            answered: answer.is_some().then(clock::now),
            kind: kind.to_owned(),
            entity: seen["entity"].as_str().map(str::to_owned),
            record: seen["record"].as_i64(),
            subject: Some(subject.to_owned()),
            seen: seen.clone(),
            asked: asked.clone(),
            status: answer.as_ref().map(|answer| answer.status),
            answer: answer.as_ref().map_or(Value::Null, |answer| answer.body.clone()),
        };
        // Without a book the run is void: the checker sees that.
        let _ = append(&crowd.run.people_path(), &line);
        answer
    }

    fn settle_doubts(&mut self) -> rusqlite::Result<()> {
        let Some(doubts) = self.list("/v1/doubts?limit=1000") else { return Ok(()) };
        self.see_off(&doubts);
        for doubt in doubts {
            let id = doubt["id"].to_string();
            let since = *self.doubts.entry(id.clone()).or_insert_with(Instant::now);
            if since.elapsed() >= THOUGHT {
                let asked = match self.truth(&doubt)? {
                    Some(key) => json!({"key": key}),
                    None => json!({"absent": true}),
                };
                self.ask("settle", &doubt, &id, &format!("/v1/doubts/{id}/settle"), &asked);
                // If it is still there, it is thought about again.
                self.doubts.remove(&id);
            }
        }
        Ok(())
    }

    /// Enters which of the doubts that were known are gone, though no person has settled them.
    fn see_off(&mut self, shown: &[Value]) {
        let ids: Vec<String> = shown.iter().map(|doubt| doubt["id"].to_string()).collect();
        let gone: Vec<String> = self.doubts.keys().filter(|id| !ids.contains(id)).cloned().collect();
        for id in gone {
            self.doubts.remove(&id);
            let line = DecisionLine {
                at: clock::now(),
                answered: None,
                kind: "found-out".to_owned(),
                entity: None,
                record: None,
                subject: Some(id),
                seen: Value::Null,
                asked: Value::Null,
                status: None,
                answer: Value::Null,
            };
            let _ = append(&self.crowd.run.people_path(), &line);
        }
    }

    /// Looks at the system itself: the key that the write in doubt has led to.
    fn truth(&self, doubt: &Value) -> rusqlite::Result<Option<String>> {
        let text = |name: &str| doubt[name].as_str().unwrap_or_default();
        let system = System::open(&self.crowd.run.source_path(text("entity"), text("source")))?;
        match system.find_effect(text("operation"))? {
            Some(key) => {
                let latest = system.latest_key(&key)?;
                // Somebody may have removed it since.
                Ok(system.find(&latest)?.map(|_| latest))
            }
            // The copy itself is in doubt: it may be where it was.
            None => Ok(doubt["key"].as_str().filter(|key| matches!(system.find(key), Ok(Some(_)))).map(str::to_owned)),
        }
    }

    fn retry_parked(&mut self) {
        for item in self.list("/v1/work-items?state=parked&limit=1000").unwrap_or_default() {
            // While everything still breaks, few are in a hurry.
            if !self.crowd.is_busy() || self.chance.per_mille(300) {
                let id = item["id"].to_string();
                self.ask("retry", &item, &id, &format!("/v1/work-items/{id}/retry"), &json!({}));
            }
        }
    }

    fn resolve_conflicts(&mut self) {
        for conflict in self.list("/v1/conflicts?limit=200").unwrap_or_default() {
            // What matches is one item: to make two of it is a mistake that a person can make, and not retcon's.
            if conflict["kind"] == "match" || self.chance.below(100) >= RESOLVED {
                continue;
            }
            let contenders = conflict["contenders"].as_array().cloned().unwrap_or_default();
            let Some(contender) = self.chance.pick(&contenders) else { continue };
            let revision = conflict["revision"].clone();
            let asked = if self.chance.per_mille(200) && conflict.get("agreed").is_some() {
                json!({"keep": true, "revision": revision})
            } else {
                json!({"take": contender["sources"][0], "revision": revision})
            };
            let id = conflict["id"].to_string();
            self.ask("resolve", &conflict, &id, &format!("/v1/conflicts/{id}/resolve"), &asked);
        }
    }
}
