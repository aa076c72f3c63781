//! The rounds in which what was told is made public.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use slog::{Logger, warn};

use crate::domain::event::EventKind;
use crate::domain::json::{Json, Object};
use crate::log::{chain, key};

use super::super::lock::whole;
use super::super::store::requests::event::{EventFilter, ListEvents, NewEvent, PublishEvents, Published, TellEvents};
use super::super::store::{Ask, StoreActor, StoreError, put};
use super::super::supervision::{ActorPath, Event, Ledger};
use super::{Herald, RECENT, Recent};

/// How long after a round the next one is made at the earliest: while somebody follows, and otherwise.
const APART: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// When a round is made of which nobody has said that there is anything new, in the same way: other daemons tell, too.
const UNASKED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

impl Herald {
    /// Makes rounds, for ever.
    pub(in crate::actor) async fn work(self, store: Addr<StoreActor>, ledger: Ledger, log: Logger) {
        let mut noted = ledger.changed();
        let mut was_well = true;
        loop {
            let is_followed = self.followers() > 0;
            let pick = |pauses: (Duration, Duration)| if is_followed { pauses.0 } else { pauses.1 };
            tokio::select! {
                () = self.0.told.notified() => {}
                _ = noted.changed() => {}
                () = tokio::time::sleep(pick(UNASKED)) => {}
            }
            self.hear(&ledger);
            match self.round(&store).await {
                Ok(()) => was_well = true,
                // A database that is away is told of elsewhere.
                Err(StoreError::Unavailable(_)) => {}
                Err(error) if was_well => {
                    was_well = false;
                    warn!(log, "events cannot be made public"; key::ERROR => chain(&error));
                }
                Err(_) => {}
            }
            tokio::time::sleep(pick(APART)).await;
        }
    }

    /// Takes in what the ledger has been told.
    fn hear(&self, ledger: &Ledger) {
        let mut read = whole(&self.0.ledger);
        let (events, position) = ledger.told_since(*read);
        *read = position;
        drop(read);
        events.iter().filter_map(new_event).for_each(|event| self.tell(event));
    }

    /// Puts on record what is not, and makes public what is.
    async fn round(&self, store: &Addr<StoreActor>) -> Result<(), StoreError> {
        let pending: Vec<NewEvent> = whole(&self.0.pending).iter().cloned().collect();
        if !pending.is_empty() {
            let number = pending.len();
            // An answer that is lost has them told twice: they say what was, and nothing rests on them.
            put(store, Ask(TellEvents { events: pending })).await?;
            let mut pending = whole(&self.0.pending);
            let stored = number.min(pending.len());
            pending.drain(..stored);
        }
        loop {
            let Published { last, has_more } = put(store, Ask(PublishEvents)).await?;
            self.publish(store, last).await?;
            if !has_more {
                return Ok(());
            }
        }
    }

    /// Hands out what has a number, up to `last`.
    async fn publish(&self, store: &Addr<StoreActor>, last: i64) -> Result<(), StoreError> {
        let recent = Arc::clone(&self.0.recent.borrow());
        if recent.last == last {
            return Ok(());
        }
        let events = if self.followers() > 0 {
            let after = recent.last.max(last - RECENT as i64).min(last);
            let filter = EventFilter::default();
            put(store, Ask(ListEvents { after, up_to: last, limit: RECENT as i64, filter })).await?
        } else {
            Vec::new()
        };
        self.0.recent.send_replace(Arc::new(Recent::follow(&recent, last, events)));
        Ok(())
    }
}

/// Puts an entry of the ledger into the words of events; `None` for what is only a step.
fn new_event(event: &Event) -> Option<NewEvent> {
    let kind = match event.event {
        "actor failed" => EventKind::ActorFailed,
        "actor gave up" => EventKind::ActorGaveUp,
        "actor started" if event.restarts > 0 => EventKind::ActorStarted,
        "source down" => EventKind::SourceDown,
        "source up again" => EventKind::SourceUp,
        "database away" => EventKind::DatabaseDown,
        "database back" => EventKind::DatabaseUp,
        _ => return None,
    };
    let (entity, source) = match &event.path {
        ActorPath::Source(entity, source) => (Some(entity.clone()), Some(source.clone())),
        ActorPath::Entity(entity) => (Some(entity.clone()), None),
        ActorPath::Supervisor | ActorPath::Store | ActorPath::Leases | ActorPath::Reloader => (None, None),
    };
    let mut details = Object::from([("actor".into(), Json::String(event.path.to_string().as_str().into()))]);
    if let Some(error) = &event.error {
        details.insert("error".into(), Json::String(error.as_str().into()));
    }
    Some(NewEvent { at: event.at, kind, entity, source, details: Json::Object(details) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(event: &'static str, path: ActorPath, restarts: u64) -> Option<EventKind> {
        let at = jiff::Timestamp::UNIX_EPOCH;
        new_event(&Event { at, event, path, restarts, delay: None, error: None }).map(|event| event.kind)
    }

    #[test]
    fn the_words_of_the_ledger_are_kinds_of_events_but_for_mere_steps() {
        let source = || ActorPath::Source("customer".parse().expect("a name"), "crm".parse().expect("a name"));
        let told = [
            ("actor failed", EventKind::ActorFailed),
            ("actor gave up", EventKind::ActorGaveUp),
            ("actor started", EventKind::ActorStarted),
            ("source down", EventKind::SourceDown),
            ("source up again", EventKind::SourceUp),
            ("database away", EventKind::DatabaseDown),
            ("database back", EventKind::DatabaseUp),
        ];
        for (word, expected) in told {
            assert_eq!(kind(word, source(), 1), Some(expected), "{word}");
        }
        assert_eq!(kind("actor started", source(), 0), None);
        assert_eq!(kind("actor stopped", source(), 1), None);
        assert_eq!(kind("actor restarting", source(), 1), None);
    }

    #[test]
    fn an_event_says_of_which_source_it_tells() {
        let path = ActorPath::Source("customer".parse().expect("a name"), "crm".parse().expect("a name"));
        let at = jiff::Timestamp::UNIX_EPOCH;
        let event =
            Event { at, event: "source down", path, restarts: 0, delay: None, error: Some("no route".to_owned()) };
        let told = new_event(&event).expect("it is worth it");
        let names = (told.entity.as_ref().map(|name| name.as_str()), told.source.as_ref().map(|name| name.as_str()));
        assert_eq!(names, (Some("customer"), Some("crm")));
        assert_eq!(told.details.to_string(), r#"{"actor":"customer/crm","error":"no route"}"#);
    }
}
