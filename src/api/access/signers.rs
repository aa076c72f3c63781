//! Those who may sign notifications, kept at hand as tokens are: read again when somebody signs and a second has passed.
//!
//! So a forged signature costs the database nothing, and a webhook that is ended or given another secret here is so at once, at another
//! daemon within a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::allowance::Allowance;
use crate::actor::store::requests::webhook::{ListSigners, Signer};
use crate::api::Service;
use crate::api::problem::{Code, Refused};
use crate::domain::name::{EntityName, SourceName};

/// What was read counts for so long.
const FRESH: Duration = Duration::from_secs(1);

/// One who may sign.
pub(in crate::api) struct KnownSigner {
    pub(in crate::api) signer: Signer,
    allowance: Arc<Allowance>,
}

impl KnownSigner {
    /// Counts a request against the webhook's rate, and refuses one too many.
    pub(in crate::api) fn pass(&self) -> Result<(), Refused> {
        self.allowance.pass("webhook")
    }

    /// Refuses a notification that the webhook does not cover.
    pub(in crate::api) fn may_notify(&self, entity: &EntityName, source: &SourceName) -> Result<(), Refused> {
        let Signer { name, grant, .. } = &self.signer;
        let refused =
            || Refused::new(Code::Forbidden, format_args!("the webhook {name} does not cover {source} of {entity}"));
        grant.covers(entity, source).then_some(()).ok_or_else(refused)
    }
}

/// Those who may sign.
#[derive(Default)]
pub struct Signers {
    known: Mutex<Known>,
    /// Held by who reads them.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    signers: Vec<Arc<KnownSigner>>,
    /// When the reading began that counts, if one does.
    read_at: Option<Instant>,
    /// Counts what was changed here: a reading that began before a change does not count.
    changes: u64,
}

impl Signers {
    /// Lists who may sign.
    ///
    /// # Errors
    /// What the database said, if it had to be asked.
    pub(in crate::api) async fn list(&self, service: &Service) -> Result<Vec<Arc<KnownSigner>>, Refused> {
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        let _turn = self.turn.lock().await;
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        let (began, changes) = (Instant::now(), self.known().changes);
        let signers = service.ask(ListSigners).await?;
        Ok(self.known().take(signers, began, changes))
    }

    /// Has them read again before anybody is found.
    pub(in crate::api) fn note_change(&self) {
        let mut known = self.known();
        known.changes += 1;
        known.read_at = None;
    }

    fn fresh(&self) -> Option<Vec<Arc<KnownSigner>>> {
        let known = self.known();
        known.read_at.filter(|at| at.elapsed() < FRESH).map(|_| known.signers.clone())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Takes in what was read; one who stays keeps what is used of the rate.
    fn take(&mut self, signers: Vec<Signer>, began: Instant, changes: u64) -> Vec<Arc<KnownSigner>> {
        let former = std::mem::take(&mut self.signers);
        let known = |signer: Signer| {
            let same = former.iter().find(|known| known.signer.id == signer.id);
            let fresh = || Arc::new(Allowance::new(signer.grant.rate));
            let allowance = same.map_or_else(fresh, |known| Arc::clone(&known.allowance));
            Arc::new(KnownSigner { signer, allowance })
        };
        self.signers = signers.into_iter().map(known).collect();
        self.read_at = Some(began).filter(|_| self.changes == changes);
        self.signers.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::{Grant, Role};

    fn signer(id: i64, rate: u32) -> Signer {
        let grant = Grant { role: Role::Notify, entities: [].into(), sources: [].into(), rate };
        Signer { id, name: format!("w{id}").parse().expect("a name"), grant, secrets: Vec::new() }
    }

    #[test]
    fn a_second_s_worth_of_messages_passes_at_once_and_no_more_however_often_webhooks_are_read() {
        let mut known = Known::default();
        let mut passed = || {
            let signers = known.take(vec![signer(1, 2), signer(2, 1)], Instant::now(), 0);
            signers.iter().map(|signer| u8::from(signer.pass().is_ok())).collect::<Vec<_>>()
        };
        assert_eq!([passed(), passed(), passed()], [[1, 1], [1, 0], [0, 0]]);
    }

    #[test]
    fn a_reading_that_began_before_a_change_does_not_count() {
        let signers = Signers::default();
        signers.known().take(vec![signer(1, 1)], Instant::now(), 0);
        assert_eq!(signers.fresh().map(|known| known.len()), Some(1));
        signers.note_change();
        signers.known().take(vec![signer(1, 1)], Instant::now(), 0);
        assert!(signers.fresh().is_none());
    }
}
