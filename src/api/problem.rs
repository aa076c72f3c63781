//! What the API refuses, and with which words: every answer that is no success is one of these codes.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};

use super::wire::problem::Problem;
use crate::actor::store::requests::access::ActEnd;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal, $status:ident;)+) => {
        /// The stable name of a kind of problem; docs/api.md says of each when it comes and what to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Returns the word on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            /// Returns what it means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii_start(),)+
                }
            }

            /// Returns the HTTP status that always goes with it.
            pub fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)+
                }
            }
        }
    };
}

codes! {
    /// The request is not what the route takes.
    Malformed = "malformed", BAD_REQUEST;
    /// There is no token, or it is none of ours.
    Unauthorized = "unauthorized", UNAUTHORIZED;
    /// The token's role, or what it is limited to, does not go so far.
    Forbidden = "forbidden", FORBIDDEN;
    /// A browser's page that is not ours has asked.
    ForeignOrigin = "foreign-origin", FORBIDDEN;
    /// The request is for a host that we are not.
    Misdirected = "misdirected", MISDIRECTED_REQUEST;
    /// The signature of a notification is not good, or too old.
    InvalidSignature = "invalid-signature", UNAUTHORIZED;
    /// There is no webhook of this name.
    UnknownWebhook = "unknown-webhook", NOT_FOUND;
    /// No entity of this name is configured.
    UnknownEntity = "unknown-entity", NOT_FOUND;
    /// The entity has no source of this name.
    UnknownSource = "unknown-source", NOT_FOUND;
    /// The entity has no record of this internal key.
    UnknownRecord = "unknown-record", NOT_FOUND;
    /// The record has no version of this number.
    UnknownVersion = "unknown-version", NOT_FOUND;
    /// There never was a conflict of this number.
    UnknownConflict = "unknown-conflict", NOT_FOUND;
    /// There is no doubt of this number.
    UnknownDoubt = "unknown-doubt", NOT_FOUND;
    /// There is no work item of this number.
    UnknownWorkItem = "unknown-work-item", NOT_FOUND;
    /// There is no token of this name.
    UnknownToken = "unknown-token", NOT_FOUND;
    /// Nothing is served at this path.
    UnknownRoute = "unknown-route", NOT_FOUND;
    /// The path does not take this method.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED;
    /// The head did not come in time.
    HeadTimeout = "head-timeout", REQUEST_TIMEOUT;
    /// The body did not come in time.
    BodyTimeout = "body-timeout", REQUEST_TIMEOUT;
    /// The request with this Idempotency-Key is being carried out.
    RequestUnderWay = "request-under-way", CONFLICT;
    /// There is a webhook of this name.
    WebhookExists = "webhook-exists", CONFLICT;
    /// The signed message came before.
    ReplayedWebhook = "replayed-webhook", CONFLICT;
    /// The work item is running or done, and this cannot be said of it any more.
    WrongState = "wrong-state", CONFLICT;
    /// There is a token of this name already.
    TokenExists = "token-exists", CONFLICT;
    /// The conflict has moved, or is closed: nothing was applied.
    StaleConflict = "stale-conflict", CONFLICT;
    /// The write is not in doubt any more: nothing was applied.
    SettledDoubt = "settled-doubt", CONFLICT;
    /// The key is that of another record's copy.
    KeyTaken = "key-taken", CONFLICT;
    /// The copy that is said to be gone is there.
    CopyThere = "copy-there", CONFLICT;
    /// A later version changed these places again: nothing was undone.
    UndoBlocked = "undo-blocked", CONFLICT;
    /// The body is larger than 1 MiB.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE;
    /// The body is of a type that the route does not take.
    UnsupportedMediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE;
    /// The text can be no foreign key.
    InvalidForeignKey = "invalid-foreign-key", UNPROCESSABLE_ENTITY;
    /// The Idempotency-Key came before, with another request.
    KeyReused = "key-reused", UNPROCESSABLE_ENTITY;
    /// The source has nothing under this key.
    NothingThere = "nothing-there", UNPROCESSABLE_ENTITY;
    /// The resolution makes no sense for this conflict.
    SenselessResolution = "senseless-resolution", UNPROCESSABLE_ENTITY;
    /// The token has been used too often.
    TooManyRequests = "too-many-requests", TOO_MANY_REQUESTS;
    /// The head is larger than 16 KiB.
    HeadTooLarge = "head-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE;
    /// A defect of the daemon, or a database that refuses; the log says more.
    Internal = "internal", INTERNAL_SERVER_ERROR;
    /// The database cannot be reached; nothing was done.
    StoreUnavailable = "store-unavailable", SERVICE_UNAVAILABLE;
    /// The daemon is starting, stopping, or restarting the part that was asked.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE;
    /// Notifications are not accepted yet, or an entity is not up.
    NotReady = "not-ready", SERVICE_UNAVAILABLE;
}

/// What the types of problems begin with; the rest of each is its code, by which docs/api.md explains it.
const KIND: &str = "urn:retcon:problem:";

/// How long a client should wait after a 429 or a 503, or for what is under way, in seconds.
const RETRY_AFTER_S: u32 = 1;

/// A request that was not carried out: becomes a problem document.
#[derive(Debug)]
pub struct Refused {
    code: Code,
    problem: Box<Problem>,
}

impl Refused {
    /// Refuses with a code and a sentence that says what is wrong with this very request.
    pub(crate) fn new(code: Code, detail: impl fmt::Display) -> Self {
        let status = code.status();
        let problem = Problem {
            kind: format!("{KIND}{}", code.as_str()),
            title: code.meaning().trim_end_matches('.').to_owned(),
            status: status.as_u16(),
            detail: detail.to_string(),
            code: code.as_str().to_owned(),
            place: None,
            pointers: None,
            revision: None,
            contenders: None,
            state: None,
        };
        Self { code, problem: Box::new(problem) }
    }

    /// Returns what kind of refusal it is.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// Returns what it says.
    pub(crate) fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Adds what the code's description promises.
    pub(crate) fn with(mut self, add: impl FnOnce(&mut Problem)) -> Self {
        add(&mut self.problem);
        self
    }

    /// Returns the body of the answer.
    pub(crate) fn body(&self) -> Vec<u8> {
        serde_json::to_vec(&self.problem).expect("a problem has no map keys and no floats")
    }

    /// Returns what it makes of an act.
    pub(crate) fn end(&self) -> ActEnd {
        ActEnd { status: self.code.status().as_u16(), code: Some(self.code.as_str().to_owned()) }
    }

    /// Begins the answer: status and headers.
    pub(crate) fn head(&self) -> HttpResponseBuilder {
        let mut head = HttpResponse::build(self.code.status());
        // For whoever counts.
        head.extensions_mut().insert(self.code);
        // For whoever shows it to a person.
        head.extensions_mut().insert(self.problem.clone());
        head.insert_header((CONTENT_TYPE, "application/problem+json"));
        match self.code.status() {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                head.insert_header((RETRY_AFTER, RETRY_AFTER_S.to_string()));
            }
            _ if self.code == Code::RequestUnderWay => {
                head.insert_header((RETRY_AFTER, RETRY_AFTER_S.to_string()));
            }
            StatusCode::UNAUTHORIZED => {
                head.insert_header((WWW_AUTHENTICATE, "Bearer"));
            }
            _ => {}
        }
        head
    }

    /// Returns the whole answer as it is sent where there is no server to send it; the connection is closed then.
    pub(crate) fn bare(&self) -> Vec<u8> {
        let (body, head) = (self.body(), self.head().finish());
        let mut answer = format!("HTTP/1.1 {}\r\n", head.status()).into_bytes();
        for (name, value) in head.headers() {
            answer.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        answer.extend_from_slice(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).as_bytes());
        answer.extend_from_slice(&body);
        answer
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.problem.code, self.problem.detail)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.head().body(self.body())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_to_users_with_its_status() {
        let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md"));
        let explained: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        for code in Code::ALL {
            let row = format!("| `{}` | {} | ", code.as_str(), code.status().as_u16());
            assert!(explained.iter().any(|line| line.starts_with(&row)), "docs/api.md has no row {row:?}");
        }
    }
}
