//! The requests with a key that this daemon carries out at this moment, or has answered and not recorded yet.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::actor::store::requests::repeatable::{Answered, RequestKey};

/// All of them; a clone is as good as the original.
#[derive(Debug, Clone, Default)]
pub struct UnderWay(Arc<Mutex<HashMap<RequestKey, Known>>>);

#[derive(Debug)]
struct Known {
    fingerprint: [u8; 32],
    /// `None` as long as it is carried out.
    answered: Option<Answered>,
}

/// What is known of a request.
#[derive(Debug)]
pub(super) enum Met {
    /// Nothing: it is this one's turn.
    Free(Turn),
    /// It is being carried out.
    Busy,
    /// It was answered.
    Answered(Answered),
    /// The key is that of another request.
    Other,
}

/// The right to carry a request out; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    of: UnderWay,
    key: RequestKey,
}

impl UnderWay {
    /// Takes a key for a request.
    pub(super) fn take(&self, key: &RequestKey, fingerprint: [u8; 32]) -> Met {
        match self.whole().entry(key.clone()) {
            Entry::Vacant(free) => {
                free.insert(Known { fingerprint, answered: None });
                Met::Free(Turn { of: self.clone(), key: key.clone() })
            }
            Entry::Occupied(known) if known.get().fingerprint != fingerprint => Met::Other,
            Entry::Occupied(known) => known.get().answered.clone().map_or(Met::Busy, Met::Answered),
        }
    }

    fn whole(&self) -> MutexGuard<'_, HashMap<RequestKey, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Has whoever asks once more answered so, as long as this lives.
    pub(super) fn answer(&self, answered: Answered) {
        if let Some(known) = self.of.whole().get_mut(&self.key) {
            known.answered = Some(answered);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.of.whole().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_for_as_long_as_its_turn_lasts() {
        let (under_way, key) = (UnderWay::default(), RequestKey { caller: "ann".to_owned(), key: "k".to_owned() });
        let Met::Free(turn) = under_way.take(&key, [1; 32]) else { panic!("nobody has it") };
        assert!(matches!(under_way.take(&key, [1; 32]), Met::Busy));
        assert!(matches!(under_way.take(&key, [2; 32]), Met::Other));
        turn.answer(Answered { status: 202, media: String::new(), body: vec![7] });
        assert!(matches!(under_way.take(&key, [1; 32]), Met::Answered(answered) if answered.body == [7]));
        drop(turn);
        assert!(matches!(under_way.take(&key, [2; 32]), Met::Free(_)));
    }
}
