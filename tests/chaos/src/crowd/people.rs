//! People who decide what retcon leaves to them: conflicts, doubts, parked work. Of doubts they know the truth.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::document::POINTERS;
use super::users::User;
use super::{Crowd, PATIENCE};
use crate::books::{Order, PeopleLine, RunDir, append};
use crate::chance::Chance;
use crate::client;
use crate::clock;
use crate::scenario::TIMEOUT;
use crate::sim::system::System;
use crate::stage::daemon;

/// How long a person waits before settling a doubt: by then no run of it can act any more.
const THOUGHT: Duration = Duration::from_micros((3 * TIMEOUT).unsigned_abs());
/// How many conflicts of a hundred that are seen are resolved each second.
const RESOLVED: u64 = 15;
/// How many resolutions of a thousand are made on what has just moved.
const OVERTAKEN: u64 = 400;
/// How often, a second apart, it is tried when everything is calm to be late with a resolution, if nobody has been yet.
const PATIENCE_WITH_ONESELF: u32 = 20;
/// How long it may take until a daemon has seen that something moved.
const TO_SEE: Duration = Duration::from_secs(3);

/// What the people remember.
struct People<'a> {
    crowd: &'a Crowd,
    chance: Chance,
    /// Since when a doubt is known.
    doubts: BTreeMap<String, Instant>,
    /// How many orders were entered in the book.
    orders: u64,
    /// With whose hands a person edits.
    hands: User<'a>,
    /// Somebody has resolved a conflict that had moved meanwhile.
    has_been_late: bool,
}

/// Decides until the crowd is dismissed.
///
/// # Errors
/// A system's file cannot be used: the run shows nothing.
pub fn work(crowd: &Crowd) -> rusqlite::Result<()> {
    let (chance, hands) = (Chance::new(crowd.facts.seed, "people"), User::new(crowd, "p"));
    let mut people = People { crowd, chance, doubts: BTreeMap::new(), orders: 0, hands, has_been_late: false };
    let (mut present, mut patience) = (Some(crowd.come()), PATIENCE_WITH_ONESELF);
    while crowd.is_there() {
        people.settle_doubts()?;
        people.retry_parked();
        let is_done = people.has_been_late || patience == 0;
        if crowd.is_busy() || !is_done {
            people.resolve_conflicts()?;
        } else {
            present = None;
        }
        if present.is_some() && !is_done {
            people.provoke()?;
        }
        patience -= u32::from(!crowd.is_busy() && patience > 0);
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

    /// Asks the daemons in turn until one answers. Each order is in the book before it is sent: what cannot be entered is not asked.
    fn ask(&mut self, kind: &str, seen: &Value, subject: &str, path: &str, asked: &Value) {
        let run = &self.crowd.run;
        for daemon in 1..=self.crowd.facts.daemons {
            self.orders += 1;
            let order = Order {
                number: self.orders,
                at: clock::now(),
                daemon,
                kind: kind.to_owned(),
                entity: seen["entity"].as_str().map(str::to_owned),
                record: seen["record"].as_i64(),
                subject: subject.to_owned(),
                seen: seen.clone(),
                asked: asked.clone(),
            };
            if append(&run.people_path(), &PeopleLine::Order(order)).is_err() {
                return;
            }
            let number = self.orders;
            match client::call(&client::socket(run, daemon), "POST", path, Some(asked), PATIENCE) {
                Ok(answer) => return enter(run, &PeopleLine::Answer { number, at: clock::now(), answer }),
                Err(error) if client::is_unheard(&error) => enter(run, &PeopleLine::Unheard { number }),
                // Whoever has it may carry it out yet; an impatient person asks the next one all the same.
                Err(_) => {}
            }
        }
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
            enter(&self.crowd.run, &PeopleLine::FoundOut { at: clock::now(), doubt: id });
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

    fn resolve_conflicts(&mut self) -> rusqlite::Result<()> {
        for conflict in self.list("/v1/conflicts?limit=200").unwrap_or_default() {
            // What matches is one item: to make two of it is a mistake that a person can make, and not retcon's.
            if conflict["kind"] == "match" || self.has_been_late && self.chance.below(100) >= RESOLVED {
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
            if !self.has_been_late || self.chance.per_mille(OVERTAKEN) {
                self.has_been_late |= self.overtake(&conflict, contender)?;
            }
            let id = conflict["id"].to_string();
            self.ask("resolve", &conflict, &id, &format!("/v1/conflicts/{id}/resolve"), &asked);
        }
        Ok(())
    }

    /// Has somebody contradict themselves where that is left to a person.
    fn provoke(&mut self) -> rusqlite::Result<()> {
        let mut entities = self.crowd.facts.entities.iter();
        let Some(entity) = entities.find(|entity| entity.merge_policy == "ignore-conflicts") else { return Ok(()) };
        let Some(source) = entity.sources.first() else { return Ok(()) };
        let items = self.hands.open(entity, source)?.list()?;
        let touched = self.hands.contradict(entity, source, &items)?;
        self.hands.tell(entity, touched);
        Ok(())
    }

    /// Has somebody edit what contends, while a person thinks about it; says whether a daemon has seen that.
    fn overtake(&mut self, conflict: &Value, contender: &Value) -> rusqlite::Result<bool> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (entity, source, pointer) =
            (text(&conflict["entity"]), text(&contender["sources"][0]), text(&conflict["path"]));
        let Some(place) = self.crowd.place(&entity, &source) else { return Ok(false) };
        let Some(key) = self.key(&entity, &conflict["record"], &source) else { return Ok(false) };
        if !POINTERS.contains(&pointer.as_str()) || !self.hands.edit_at(place, &key, &pointer)? {
            return Ok(false);
        }
        let deadline = Instant::now() + TO_SEE;
        while Instant::now() < deadline {
            let shown = self.list("/v1/conflicts?limit=200").unwrap_or_default();
            if shown.iter().any(|shown| shown["id"] == conflict["id"] && shown["revision"] != conflict["revision"]) {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(30));
        }
        Ok(false)
    }

    /// Gives the key of a record's copy.
    fn key(&self, entity: &str, record: &Value, source: &str) -> Option<String> {
        let path = format!("/v1/records/{entity}/{record}");
        let shown = (1..=self.crowd.facts.daemons).find_map(|number| daemon::get(&self.crowd.run, number, &path))?;
        let links = shown["links"].as_array()?;
        links.iter().find(|link| link["source"] == source)?["key"].as_str().map(str::to_owned)
    }
}

/// Enters what came of an order. Without it, the order counts as one that may have been carried out.
fn enter(run: &RunDir, line: &PeopleLine) {
    let _ = append(&run.people_path(), line);
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::drive::test_facts;

    /// A daemon that takes one order and gives this answer, or none.
    fn serve(run: &RunDir, daemon: u32, answer: Option<&'static str>) -> thread::JoinHandle<()> {
        let socket = client::socket(run, daemon);
        std::fs::create_dir_all(socket.parent().expect("it has one")).expect("a directory");
        let listener = UnixListener::bind(socket).expect("a socket");
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody comes");
            let mut request = [0; 4096];
            let length = stream.read(&mut request).expect("an order");
            assert!(length > 0);
            if let Some(answer) = answer {
                write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 2\r\n\r\n{{}}").expect("it is heard");
            }
        })
    }

    #[test]
    fn an_order_whose_answer_was_lost_stays_in_the_book_when_another_daemon_refuses_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let run = RunDir::new(dir.path());
        run.create().expect("its books");
        let crowd = Crowd::new(run.clone(), crate::books::Facts { daemons: 3, ..test_facts(&[]) });
        // Nobody listens where the first would be; the second takes it and says nothing.
        let daemons = [serve(&run, 2, None), serve(&run, 3, Some("409 Conflict"))];
        let (chance, hands) = (Chance::new(1, "people"), User::new(&crowd, "p"));
        let mut people =
            People { crowd: &crowd, chance, doubts: BTreeMap::new(), orders: 0, hands, has_been_late: false };
        let seen = json!({"entity": "customer", "record": 4});
        people.ask("resolve", &seen, "7", "/v1/conflicts/7/resolve", &json!({"take": "crm", "revision": 1}));
        daemons.into_iter().for_each(|daemon| daemon.join().expect("it was asked"));
        let decisions = run.decisions().expect("the book can be read");
        let told: Vec<_> = decisions.iter().map(|decision| (decision.order.daemon, decision.may_apply())).collect();
        assert_eq!(told, [(2, true), (3, false)], "{decisions:#?}");
    }
}
