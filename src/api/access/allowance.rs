//! What a rate lets through.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::api::problem::{Code, Refused};
use crate::domain::throttle::{Admission, Bucket, Pace};

/// So many requests a second; one second's worth may come at once.
#[derive(Debug)]
pub(super) struct Allowance {
    rate: u32,
    made: Instant,
    bucket: Mutex<Bucket>,
}

impl Allowance {
    pub(super) fn new(rate: u32) -> Self {
        let bucket = Bucket::new(Pace::new(f64::from(rate), rate), Duration::ZERO);
        Self { rate, made: Instant::now(), bucket: Mutex::new(bucket) }
    }

    /// Counts a request, and refuses one too many; `what` it comes with is told.
    pub(super) fn pass(&self, what: &str) -> Result<(), Refused> {
        // The bucket was empty a second before it was made, and has filled since.
        let now = Duration::from_secs(1) + self.made.elapsed();
        match self.bucket.lock().unwrap_or_else(PoisonError::into_inner).admit(now) {
            Admission::Go => Ok(()),
            Admission::Wait { .. } => {
                let detail = format!("the {what} is good for {} requests a second", self.rate);
                Err(Refused::new(Code::TooManyRequests, detail))
            }
        }
    }
}
