//! A typed client of the HTTP API, over the daemon's unix socket or an address.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::wire::List;
use super::wire::access::{Act, MadeToken, NewToken, RevokedToken, Token};
use super::wire::conflict::Conflict;
use super::wire::delete::{Approval, Approved, Delete};
use super::wire::doubt::{Doubt, Settlement};
use super::wire::order::{OrderAnswer, Resolution, Undo};
use super::wire::pause::Paused;
use super::wire::problem::Problem;
use super::wire::provenance::Provenance;
use super::wire::record::{HistoryItem, Record, RecordSummary};
use super::wire::reload::Reloaded;
use super::wire::status::Status;
use super::wire::supervision::Supervision;
use super::wire::webhook::{MadeWebhook, NewWebhook, RemovedWebhook, Webhook};
use super::wire::work::{Accepted, Notification, WorkItem, WorkState};
use crate::config::HIDDEN;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may take; the daemon itself answers an order within 5 s.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client of one daemon. Repeats nothing by itself.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    place: String,
}

/// An answer, as it came and as it was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// The body, byte for byte.
    pub body: String,
    pub value: T,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("cannot use {url:?} as the daemon's address: {reason}")]
    BadUrl { url: String, reason: String },
    #[error("cannot set up HTTP")]
    Setup(#[source] reqwest::Error),
    #[error("cannot send the token: it holds characters that no token has")]
    BadToken,
    #[error("cannot reach the daemon at {place}")]
    Unreachable { place: String, source: io::Error },
    /// The daemon understood, and did not do it.
    #[error("{} ({})", .0.detail, .0.code)]
    Problem(Box<Problem>),
    #[error("cannot understand the answer of {place}, with status {status}")]
    BadAnswer { place: String, status: StatusCode, source: serde_json::Error },
}

/// The part of a list that is asked for; what is `None` is left to the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    pub limit: Option<u64>,
    /// The `next` of an earlier answer.
    pub after: Option<String>,
}

impl Client {
    /// Talks to the daemon that listens at a unix socket.
    ///
    /// # Errors
    /// [`ClientError::Setup`] if HTTP cannot be set up; whether anybody listens shows with the first request.
    pub fn over_socket(path: &Path) -> Result<Self, ClientError> {
        let http = in_the_clear().unix_socket(path);
        let base = Url::parse("http://localhost").expect("a URL");
        Self::new(http, base, path.display().to_string())
    }

    /// Talks to the daemon at an `http://` or `https://` address, with a token.
    ///
    /// Of certificates it trusts those of the system's authorities, or of the file that `SSL_CERT_FILE` names.
    /// # Errors
    /// [`ClientError::BadUrl`] if it is no such address, [`ClientError::BadToken`] if the text can be no token.
    pub fn at(url: &str, token: Option<&str>) -> Result<Self, ClientError> {
        let bad = |reason: &str| ClientError::BadUrl { url: without_login(url), reason: reason.to_owned() };
        let base = Url::parse(url).map_err(|error| bad(&error.to_string()))?;
        let mut http = match base.scheme() {
            "http" => in_the_clear(),
            "https" => trusting(authorities()),
            _ => return Err(bad("it should begin with http:// or https://")),
        };
        if !base.username().is_empty() || base.password().is_some() {
            return Err(bad("nobody logs in with a name and a password"));
        }
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ClientError::BadToken)?;
            value.set_sensitive(true);
            http = http.default_headers([(AUTHORIZATION, value)].into_iter().collect());
        }
        Self::new(http, base, url.to_owned())
    }

    fn new(http: reqwest::ClientBuilder, base: Url, place: String) -> Result<Self, ClientError> {
        let http = http
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .build()
            .map_err(ClientError::Setup)?;
        Ok(Self { http, base, place })
    }

    pub async fn notify(&self, notification: &Notification) -> Result<Answer<Accepted>, ClientError> {
        self.send(Method::POST, self.url(&["v1", "notifications"]), Some(notification)).await
    }

    pub async fn status(&self) -> Result<Answer<Status>, ClientError> {
        self.get(self.url(&["v1", "status"])).await
    }

    pub async fn reload(&self) -> Result<Answer<Reloaded>, ClientError> {
        self.send(Method::POST, self.url(&["v1", "reload"]), None::<&()>).await
    }

    pub async fn supervision(&self) -> Result<Answer<Supervision>, ClientError> {
        self.get(self.url(&["v1", "supervision"])).await
    }

    pub async fn list_work(
        &self,
        state: Option<WorkState>,
        entity: Option<&str>,
        window: &Window,
    ) -> Result<Answer<List<WorkItem>>, ClientError> {
        let query = [("state", state.map(WorkState::as_str)), ("entity", entity)];
        self.get(self.list_url(&["v1", "work-items"], &query, window)).await
    }

    pub async fn work_item(&self, id: i64) -> Result<Answer<WorkItem>, ClientError> {
        self.get(self.url(&["v1", "work-items", &id.to_string()])).await
    }

    pub async fn retry(&self, id: i64) -> Result<Answer<WorkItem>, ClientError> {
        self.send(Method::POST, self.url(&["v1", "work-items", &id.to_string(), "retry"]), None::<&()>).await
    }

    pub async fn drop_item(&self, id: i64) -> Result<Answer<WorkItem>, ClientError> {
        self.send(Method::DELETE, self.url(&["v1", "work-items", &id.to_string()]), None::<&()>).await
    }

    pub async fn list_records(
        &self,
        entity: &str,
        source: Option<&str>,
        key: Option<&str>,
        window: &Window,
    ) -> Result<Answer<List<RecordSummary>>, ClientError> {
        let query = [("source", source), ("key", key)];
        self.get(self.list_url(&["v1", "records", entity], &query, window)).await
    }

    pub async fn record(&self, entity: &str, id: i64) -> Result<Answer<Record>, ClientError> {
        self.get(self.url(&["v1", "records", entity, &id.to_string()])).await
    }

    pub async fn history(
        &self,
        entity: &str,
        id: i64,
        window: &Window,
    ) -> Result<Answer<List<HistoryItem>>, ClientError> {
        self.get(self.list_url(&["v1", "records", entity, &id.to_string(), "history"], &[], window)).await
    }

    pub async fn provenance(&self, entity: &str, id: i64) -> Result<Answer<Provenance>, ClientError> {
        self.get(self.url(&["v1", "records", entity, &id.to_string(), "provenance"])).await
    }

    pub async fn undo(&self, entity: &str, id: i64, version: i64) -> Result<Answer<OrderAnswer>, ClientError> {
        let url = self.url(&["v1", "records", entity, &id.to_string(), "undo"]);
        self.send(Method::POST, url, Some(&Undo { version })).await
    }

    pub async fn list_conflicts(
        &self,
        entity: Option<&str>,
        window: &Window,
    ) -> Result<Answer<List<Conflict>>, ClientError> {
        self.get(self.list_url(&["v1", "conflicts"], &[("entity", entity)], window)).await
    }

    pub async fn resolve(&self, conflict: i64, resolution: &Resolution) -> Result<Answer<OrderAnswer>, ClientError> {
        self.send(Method::POST, self.url(&["v1", "conflicts", &conflict.to_string(), "resolve"]), Some(resolution))
            .await
    }

    pub async fn list_doubts(&self, entity: Option<&str>, window: &Window) -> Result<Answer<List<Doubt>>, ClientError> {
        self.get(self.list_url(&["v1", "doubts"], &[("entity", entity)], window)).await
    }

    pub async fn settle(&self, doubt: i64, settlement: &Settlement) -> Result<Answer<OrderAnswer>, ClientError> {
        self.send(Method::POST, self.url(&["v1", "doubts", &doubt.to_string(), "settle"]), Some(settlement)).await
    }

    pub async fn list_deletes(
        &self,
        entity: Option<&str>,
        window: &Window,
    ) -> Result<Answer<List<Delete>>, ClientError> {
        self.get(self.list_url(&["v1", "deletes"], &[("entity", entity)], window)).await
    }

    pub async fn approve_deletes(&self, entity: &str) -> Result<Answer<Approved>, ClientError> {
        let approval = Approval { entity: entity.to_owned() };
        self.send(Method::POST, self.url(&["v1", "deletes", "approve"]), Some(&approval)).await
    }

    pub async fn list_webhooks(&self, window: &Window) -> Result<Answer<List<Webhook>>, ClientError> {
        self.get(self.list_url(&["v1", "webhooks"], &[], window)).await
    }

    pub async fn create_webhook(&self, new: &NewWebhook) -> Result<Answer<MadeWebhook>, ClientError> {
        self.send(Method::POST, self.url(&["v1", "webhooks"]), Some(new)).await
    }

    pub async fn rotate_webhook(&self, name: &str) -> Result<Answer<MadeWebhook>, ClientError> {
        self.send(Method::POST, self.url(&["v1", "webhooks", name, "rotate"]), None::<&()>).await
    }

    pub async fn remove_webhook(&self, name: &str) -> Result<Answer<RemovedWebhook>, ClientError> {
        self.send(Method::DELETE, self.url(&["v1", "webhooks", name]), None::<&()>).await
    }

    /// Stops an entity, or one of its sources, for the time being, or lets it go on.
    pub async fn set_pause(
        &self,
        entity: &str,
        source: Option<&str>,
        paused: bool,
    ) -> Result<Answer<Paused>, ClientError> {
        let word = if paused { "pause" } else { "resume" };
        let url = match source {
            Some(source) => self.url(&["v1", "entities", entity, "sources", source, word]),
            None => self.url(&["v1", "entities", entity, word]),
        };
        self.send(Method::POST, url, None::<&()>).await
    }

    pub async fn create_token(&self, token: &NewToken) -> Result<Answer<MadeToken>, ClientError> {
        self.send(Method::POST, self.url(&["v1", "tokens"]), Some(token)).await
    }

    pub async fn list_tokens(&self, window: &Window) -> Result<Answer<List<Token>>, ClientError> {
        self.get(self.list_url(&["v1", "tokens"], &[], window)).await
    }

    pub async fn revoke_token(&self, name: &str) -> Result<Answer<RevokedToken>, ClientError> {
        self.send(Method::DELETE, self.url(&["v1", "tokens", name]), None::<&()>).await
    }

    pub async fn list_audit(&self, window: &Window) -> Result<Answer<List<Act>>, ClientError> {
        self.get(self.list_url(&["v1", "audit"], &[], window)).await
    }

    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    fn list_url(&self, segments: &[&str], query: &[(&str, Option<&str>)], window: &Window) -> Url {
        let mut url = self.url(segments);
        let limit = window.limit.map(|limit| limit.to_string());
        let window = [("limit", limit.as_deref()), ("after", window.after.as_deref())];
        for (name, value) in query.iter().chain(&window) {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        url
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<Answer<T>, ClientError> {
        self.send(Method::GET, url, None::<&()>).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: Option<&impl Serialize>,
    ) -> Result<Answer<T>, ClientError> {
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let body = response.text().await.map_err(|error| self.unreachable(&error))?;
        let bad = |source| ClientError::BadAnswer { place: self.place.clone(), status, source };
        if status.is_success() {
            let value = serde_json::from_str(&body).map_err(bad)?;
            return Ok(Answer { body, value });
        }
        Err(ClientError::Problem(serde_json::from_str(&body).map_err(bad)?))
    }

    /// Keeps of a failed exchange what a person can use: its innermost cause.
    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        let source = match innermost(error) {
            _ if error.is_timeout() => {
                io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", TIMEOUT.as_secs()))
            }
            cause => match cause.downcast_ref::<io::Error>() {
                Some(cause) => io::Error::new(cause.kind(), cause.to_string()),
                None => io::Error::other(cause.to_string()),
            },
        };
        ClientError::Unreachable { place: self.place.clone(), source }
    }
}

/// Shows an address without what may be a password.
fn without_login(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{HIDDEN}@{place}"),
        (None, Some((_, place))) => format!("{HIDDEN}@{place}"),
        (_, None) => url.to_owned(),
    }
}

/// Begins a client of HTTP without TLS, which trusts nobody.
pub(crate) fn in_the_clear() -> reqwest::ClientBuilder {
    trusting(RootCertStore::empty())
}

fn trusting(roots: RootCertStore) -> reqwest::ClientBuilder {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows the versions that are usual")
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls)
}

/// The authorities that the system trusts.
fn authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // What the system has of old or odd ones is passed over, as everybody does.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error)
}
