//! The tokens that are good, kept at hand: they are read again when somebody shows one and a second has passed.
//!
//! So a token that is revoked here is unknown at once, and one that is revoked at another daemon within a second. While the
//! database is away, those that were known stay good, and of others nobody can say.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use actix::Addr;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::allowance::Allowance;
use crate::actor::store::requests::access::{CreateToken, ListTokens, RevokeToken, TokenRow};
use crate::actor::store::requests::repeatable::{Attempt, Once};
use crate::actor::store::{Ask, StoreActor};
use crate::api::Service;
use crate::api::problem::{Code, Refused};
use crate::domain::access::{Grant, TokenHash};
use crate::domain::name::TokenName;

/// What was read counts for so long.
const FRESH: Duration = Duration::from_secs(1);

/// How long a reading may take: a database that is frozen is away.
const PATIENCE: Duration = Duration::from_secs(2);

/// What every token begins with, so that one is known for what it is wherever it turns up.
const PREFIX: &str = "retcon_";

/// A token as it is shown to a person, once.
pub(in crate::api) struct Secret(String);

impl Secret {
    /// Makes one that nobody can guess: of 256 random bits.
    fn make() -> Result<Self, Refused> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| {
            Refused::new(Code::Internal, format_args!("the system gives no random numbers: {error}"))
        })?;
        Ok(Self(random.iter().fold(PREFIX.to_owned(), |text, byte| text + &format!("{byte:02x}"))))
    }

    /// Returns the text, to be shown and forgotten.
    pub(in crate::api) fn into_text(self) -> String {
        self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

fn hash(token: &str) -> TokenHash {
    TokenHash(Sha256::digest(token).into())
}

/// Whoever bears a good token.
#[derive(Debug)]
pub(in crate::api) struct Bearer {
    /// The number of the token.
    pub(in crate::api) id: i64,
    pub(in crate::api) name: TokenName,
    pub(in crate::api) grant: Grant,
    hash: TokenHash,
    /// Whether it is good no more: what was begun with it and goes on is to end.
    is_revoked: AtomicBool,
    allowance: Allowance,
}

impl Bearer {
    pub(super) fn new(row: TokenRow) -> Self {
        let allowance = Allowance::new(row.grant.rate);
        let TokenRow { id, name, hash, grant, created_at: _ } = row;
        let is_revoked = AtomicBool::new(false);
        Self { id, name, grant, hash, is_revoked, allowance }
    }

    /// Tells whether the token is known to be good no more.
    pub(super) fn is_revoked(&self) -> bool {
        self.is_revoked.load(Ordering::Relaxed)
    }

    /// Seals a text, in 32 hexadecimal digits: nobody can who has neither the token nor the database.
    pub(super) fn seal(&self, text: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.hash.0).expect("a key may be of any length");
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Counts a request against the token's rate, and refuses one too many.
    pub(super) fn pass(&self) -> Result<(), Refused> {
        self.allowance.pass("token")
    }
}

/// The tokens that are good.
pub struct Tokens {
    store: Addr<StoreActor>,
    known: RwLock<Known>,
    /// Held by who reads them.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    bearers: Vec<Arc<Bearer>>,
    reading: Reading,
    /// Counts what was changed here: a reading that began before a change does not count.
    changes: u64,
}

/// What came of the last reading, and when it began.
#[derive(Debug, Clone, Copy, Default)]
enum Reading {
    #[default]
    None,
    Done(Instant),
    Failed(Instant),
}

/// What can be said of a token that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knowledge {
    /// It is none.
    Whole,
    /// Nothing: the database is away.
    Partial,
}

impl Tokens {
    /// Knows none yet.
    pub fn new(store: Addr<StoreActor>) -> Self {
        Self { store, known: RwLock::default(), turn: tokio::sync::Mutex::default() }
    }

    /// Finds who bears a token.
    pub(in crate::api) async fn find(&self, token: &str) -> Result<Arc<Bearer>, Refused> {
        let hash = hash(token);
        let knowledge = self.freshen().await;
        match (self.bearer(&hash), knowledge) {
            (Some(bearer), Knowledge::Whole | Knowledge::Partial) => Ok(bearer),
            (None, Knowledge::Whole) => Err(Refused::new(Code::Unauthorized, "the token is unknown or revoked")),
            (None, Knowledge::Partial) => {
                Err(Refused::new(Code::StoreUnavailable, "the database is away, and the token was not known before"))
            }
        }
    }

    /// Finds the bearer of the token of this number.
    pub(super) async fn find_by_number(&self, id: i64) -> Result<Arc<Bearer>, Refused> {
        let knowledge = self.freshen().await;
        let found = self.read().bearers.iter().find(|bearer| bearer.id == id).cloned();
        match (found, knowledge) {
            (Some(bearer), Knowledge::Whole | Knowledge::Partial) => Ok(bearer),
            (None, Knowledge::Whole) => Err(Refused::new(Code::Unauthorized, "the token was revoked")),
            (None, Knowledge::Partial) => {
                Err(Refused::new(Code::StoreUnavailable, "the database is away, and the token was not known before"))
            }
        }
    }

    /// Tells whether there is any token; `None` if nobody can say.
    pub(in crate::api) async fn exist(&self) -> Option<bool> {
        match self.freshen().await {
            Knowledge::Whole => Some(!self.read().bearers.is_empty()),
            Knowledge::Partial => None,
        }
    }

    /// Makes a token; gives it with the text that nobody will ever see again.
    pub(in crate::api) async fn create(
        &self,
        service: &Service,
        name: TokenName,
        grant: Grant,
    ) -> Result<(TokenRow, Secret), Refused> {
        let secret = Secret::make()?;
        let made = service.ask(CreateToken { name: name.clone(), hash: hash(&secret.0), grant }).await;
        self.note_change(|_| true);
        let taken = || Refused::new(Code::TokenExists, format_args!("there is a token named {name} already"));
        Ok((made?.ok_or_else(taken)?, secret))
    }

    /// Ends a token: whoever shows it is unknown when this returns.
    pub(in crate::api) async fn revoke(
        &self,
        service: &Service,
        name: TokenName,
        attempt: Option<Attempt>,
    ) -> Result<(), Refused> {
        let revoked = service.ask(Once { request: RevokeToken { name: name.clone() }, attempt }).await;
        let is_gone = revoked.is_ok();
        self.note_change(|bearer| !(is_gone && bearer.name == name));
        if revoked? { Ok(()) } else { Err(Refused::new(Code::UnknownToken, format_args!("no token is named {name}"))) }
    }

    /// Lets go of bearers, and has all read again before anybody is found.
    fn note_change(&self, stays: impl Fn(&Bearer) -> bool) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.bearers.retain(|bearer| {
            let stays = stays(bearer);
            bearer.is_revoked.fetch_or(!stays, Ordering::Relaxed);
            stays
        });
        known.changes += 1;
        known.reading = Reading::None;
    }

    /// Looks at every token, in the same time whichever it is.
    fn bearer(&self, hash: &TokenHash) -> Option<Arc<Bearer>> {
        let known = self.read();
        known.bearers.iter().fold(None, |found, bearer| {
            let is_same = bool::from(bearer.hash.0.ct_eq(&hash.0));
            if is_same { Some(Arc::clone(bearer)) } else { found }
        })
    }

    /// Has the tokens read again, if that is due.
    async fn freshen(&self) -> Knowledge {
        loop {
            if let Some(knowledge) = self.knowledge() {
                return knowledge;
            }
            let _turn = self.turn.lock().await;
            if self.knowledge().is_none() {
                self.reread().await;
            }
        }
    }

    async fn reread(&self) {
        let (began, changes) = (Instant::now(), self.read().changes);
        let reply = tokio::time::timeout(PATIENCE, self.store.send(Ask(ListTokens))).await;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match reply {
            Ok(Ok(Ok(rows))) if known.changes == changes => known.take(rows, began),
            // Something was changed meanwhile: they are read once more.
            Ok(Ok(Ok(_))) => {}
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => known.reading = Reading::Failed(Instant::now()),
        }
    }

    /// What the last reading is worth; `None` if it is too old.
    fn knowledge(&self) -> Option<Knowledge> {
        match self.read().reading {
            Reading::Done(at) if at.elapsed() < FRESH => Some(Knowledge::Whole),
            Reading::Failed(at) if at.elapsed() < FRESH => Some(Knowledge::Partial),
            Reading::None | Reading::Done(_) | Reading::Failed(_) => None,
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Takes in what was read; a bearer that stays keeps what it has used of its rate.
    fn take(&mut self, rows: Vec<TokenRow>, began: Instant) {
        let former = std::mem::take(&mut self.bearers);
        let bearer = |row: TokenRow| {
            let same = former.iter().find(|bearer| bearer.id == row.id).cloned();
            same.unwrap_or_else(|| Arc::new(Bearer::new(row)))
        };
        self.bearers = rows.into_iter().map(bearer).collect();
        for gone in former.iter().filter(|bearer| self.bearers.iter().all(|other| other.id != bearer.id)) {
            gone.is_revoked.store(true, Ordering::Relaxed);
        }
        self.reading = Reading::Done(began);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;

    #[test]
    fn a_token_is_of_256_random_bits_and_shows_what_it_is_and_nothing_else() {
        let tokens = [Secret::make(), Secret::make()].map(|made| made.expect("there is chance"));
        assert!(format!("{tokens:?}").contains("Secret(..)"));
        let [one, other] = tokens.map(Secret::into_text);
        assert_ne!(one, other);
        let digits = one.strip_prefix("retcon_").expect("its prefix");
        assert!(digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digits}");
    }

    fn row(id: i64, rate: u32) -> TokenRow {
        let grant = Grant { role: Role::View, entities: [].into(), sources: [].into(), rate };
        let name = format!("t{id}").parse().expect("a name");
        TokenRow { id, name, hash: TokenHash([id as u8; 32]), grant, created_at: String::new() }
    }

    #[test]
    fn a_second_s_worth_of_requests_passes_at_once_and_no_more_however_often_tokens_are_read() {
        let mut known = Known::default();
        known.take(vec![row(1, 3), row(2, 1)], Instant::now());
        let passed = |known: &Known| known.bearers.iter().filter(|bearer| bearer.pass().is_ok()).count();
        assert_eq!(passed(&known), 2);
        known.take(vec![row(1, 3), row(2, 1)], Instant::now());
        assert_eq!(passed(&known), 1, "the second has used its one");
        let refused = known.bearers[1].pass().expect_err("one a second");
        assert!(refused.to_string().starts_with("too-many-requests: "), "{refused}");
    }
}
