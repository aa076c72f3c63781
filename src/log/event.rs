//! One event, taken out of slog's hands.

use std::fmt;

use jiff::Timestamp;
use slog::{KV, Key, OwnedKVList, Record, Serializer};

use crate::config::model::Severity;

use super::key;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) time: Timestamp,
    pub(super) severity: Severity,
    pub(super) message: String,
    /// Each key once, in the order of [`key::ORDER`].
    pub(super) values: Vec<(Key, Value)>,
}

/// What stands under a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A number, a truth value or nothing, as JSON writes it.
    Plain(String),
    Text(String),
}

impl Event {
    /// Takes an event over, now, with the values of its logger; its own come before those.
    pub(super) fn new(severity: Severity, record: &Record<'_>, context: &OwnedKVList) -> Self {
        let mut values = Values(Vec::new());
        // Values that cannot be shown are left out: an event is never lost for them.
        let _ = record.kv().serialize(record, &mut values);
        let _ = context.serialize(record, &mut values);
        Self::of(severity, record.msg().to_string(), values.0)
    }

    /// Returns the event that `count` events were lost, because the stream took none.
    pub(super) fn dropped(count: u64) -> Self {
        let values = vec![("events", Value::Plain(count.to_string()))];
        Self::of(Severity::Warning, "log events dropped".to_owned(), values)
    }

    fn of(severity: Severity, message: String, mut values: Vec<(Key, Value)>) -> Self {
        let place = |key: &str| key::ORDER.iter().position(|known| *known == key);
        values.sort_by_key(|(key, _)| place(key).unwrap_or(key::ORDER.len()));
        Self { time: Timestamp::now(), severity, message, values }
    }
}

/// Gathers values; the first one under a key stays.
struct Values(Vec<(Key, Value)>);

impl Values {
    fn put(&mut self, key: Key, value: Value) -> slog::Result {
        if !self.0.iter().any(|(known, _)| *known == key) {
            self.0.push((key, value));
        }
        Ok(())
    }
}

/// Takes values that JSON writes without quotes.
macro_rules! plain {
    ($($method:ident $type:ty),*) => {
        $(fn $method(&mut self, key: Key, value: $type) -> slog::Result {
            self.put(key, Value::Plain(value.to_string()))
        })*
    };
}

impl Serializer for Values {
    plain!(emit_bool bool, emit_u8 u8, emit_i8 i8, emit_u16 u16, emit_i16 i16, emit_u32 u32, emit_i32 i32);
    plain!(emit_u64 u64, emit_i64 i64, emit_u128 u128, emit_i128 i128, emit_usize usize, emit_isize isize);

    fn emit_unit(&mut self, key: Key) -> slog::Result {
        self.emit_none(key)
    }

    fn emit_none(&mut self, key: Key) -> slog::Result {
        self.put(key, Value::Plain("null".to_owned()))
    }

    fn emit_str(&mut self, key: Key, value: &str) -> slog::Result {
        self.put(key, Value::Text(value.to_owned()))
    }

    fn emit_arguments(&mut self, key: Key, value: &fmt::Arguments<'_>) -> slog::Result {
        self.put(key, Value::Text(value.to_string()))
    }
}
