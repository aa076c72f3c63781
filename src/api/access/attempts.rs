//! Those who try to sign in with what is no token: each address may do so a few times, and then slowly.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::api::problem::{Code, Refused};
use crate::domain::throttle::{Admission, Bucket, Pace};

/// How often an address may try a token that is none.
const TRIES: u32 = 10;

/// How often it may per second after that.
const RATE: f64 = 1.0 / 6.0;

/// How long it takes until an address that has tried so often has all its tries again, and more.
const FILLING: Duration = Duration::from_secs(120);

/// So many addresses are remembered at a time.
const ADDRESSES: usize = 10_000;

/// Counts, for each address, those who try to sign in with what is no token.
pub(in crate::api) struct Attempts {
    since: Instant,
    made: Mutex<HashMap<IpAddr, Bucket>>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { since: Instant::now(), made: Mutex::default() }
    }
}

impl Attempts {
    /// Counts an attempt, and refuses one too many.
    pub(in crate::api) fn pass(&self, address: IpAddr) -> Result<(), Refused> {
        // A bucket was empty so long before it was made that it has filled since.
        let now = FILLING + self.since.elapsed();
        let mut made = self.made();
        let address = network(address);
        if made.len() >= ADDRESSES && !made.contains_key(&address) {
            made.clear();
        }
        let full = || Bucket::new(Pace::new(RATE, TRIES), Duration::ZERO);
        match made.entry(address).or_insert_with(full).admit(now) {
            Admission::Go => Ok(()),
            Admission::Wait { .. } => {
                Err(Refused::new(Code::TooManyRequests, "too many attempts to sign in: try again in a minute"))
            }
        }
    }

    /// Forgets the attempts from an address: whoever is there has a token.
    pub(in crate::api) fn forgive(&self, address: IpAddr) {
        self.made().remove(&network(address));
    }

    fn made(&self) -> MutexGuard<'_, HashMap<IpAddr, Bucket>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn an_address_has_some_tries_and_others_have_theirs() {
        let attempts = Attempts::default();
        let [one, other] = ["192.0.2.1", "2001:db8::1"].map(|text| text.parse().expect("an address"));
        let passed = |address| (0..20).filter(|_| attempts.pass(address).is_ok()).count();
        assert_eq!((passed(one), passed(one)), (10, 0));
        assert_eq!(passed(other), 10);
        assert!(attempts.pass("2001:db8::2".parse().expect("an address")).is_err(), "one person has many of these");
        attempts.forgive(one);
        assert!(attempts.pass(one).is_ok());
    }
}
