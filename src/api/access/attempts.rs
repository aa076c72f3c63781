//! Those who try to sign in with what is no token: of each address a few are told so and entered into the audit trail, then few.
//!
//! Whoever has a token is never asked how often others have failed: they may all come from one address, that of a proxy. That
//! nobody finds one by trying is seen to by its length; what is limited here is how much failures write.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::throttle::{Admission, Bucket, Pace};

/// How many attempts of an address may fail at once.
const TRIES: u32 = 10;

/// How many per second after that.
const RATE: f64 = 1.0 / 6.0;

/// How long it takes until an address has all its tries again, and more.
const FILLING: Duration = Duration::from_secs(120);

/// So many addresses are remembered at a time.
const ADDRESSES: usize = 10_000;

/// Counts, for each address, those who try to sign in with what is no token.
pub(in crate::api) struct Attempts {
    since: Instant,
    failed: Mutex<HashMap<IpAddr, Failed>>,
}

/// What failed from an address.
struct Failed {
    bucket: Bucket,
    /// Whether it was said that there were too many, since there were none.
    is_said: bool,
}

/// What a failed attempt is to its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Failure {
    /// One of few.
    Usual,
    /// The first one too many.
    FirstTooMany,
    /// Another one too many.
    TooMany,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { since: Instant::now(), failed: Mutex::default() }
    }
}

impl Attempts {
    /// Counts an attempt that failed.
    pub(in crate::api) fn fail(&self, address: IpAddr) -> Failure {
        // A bucket was empty so long before it was made that it has filled since.
        let now = FILLING + self.since.elapsed();
        let mut failed = self.failed();
        let address = network(address);
        if failed.len() >= ADDRESSES && !failed.contains_key(&address) {
            failed.clear();
        }
        let full = || Failed { bucket: Bucket::new(Pace::new(RATE, TRIES), Duration::ZERO), is_said: false };
        let failed = failed.entry(address).or_insert_with(full);
        // Whether the last of its tries is there, and so all are.
        let is_full = failed.bucket.wait(TRIES as usize - 1, now).is_zero();
        match failed.bucket.admit(now) {
            Admission::Go => {
                failed.is_said &= !is_full;
                Failure::Usual
            }
            Admission::Wait { .. } if std::mem::replace(&mut failed.is_said, true) => Failure::TooMany,
            Admission::Wait { .. } => Failure::FirstTooMany,
        }
    }

    fn failed(&self) -> MutexGuard<'_, HashMap<IpAddr, Failed>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What belongs to one person at most: of an address of IPv6 the first half.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_some_tries_and_others_have_theirs_and_one_too_many_is_told_apart_once() {
        let attempts = Attempts::default();
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let [one, other, neighbour] = ["192.0.2.1", "2001:db8::1", "2001:db8::2"].map(address);
        let tries = |address| (0..13).map(|_| attempts.fail(address)).collect::<Vec<_>>();
        let mut expected = vec![Failure::Usual; 10];
        expected.extend([Failure::FirstTooMany, Failure::TooMany, Failure::TooMany]);
        assert_eq!((tries(one), tries(other)), (expected.clone(), expected));
        assert_eq!(tries(neighbour), [Failure::TooMany; 13], "one person has many of these");
    }
}
