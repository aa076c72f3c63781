//! Those who sign their notifications, and the messages that they have sent.

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::domain::access::{Grant, Role};
use crate::domain::name::WebhookName;
use crate::store::columns::{get, micros, parsed, time};
use crate::store::run::{Fault, Mode, Request, Session};

use super::access::tokens::{Limits, grant};
use super::repeatable::{Effect, Effective};
use super::view::{Page, page};

const CREATE: &str = include_str!("../sql/webhook/create.sql");
const ROTATE: &str = include_str!("../sql/webhook/rotate.sql");
const LIST: &str = include_str!("../sql/webhook/list.sql");
const LIST_SECRETS: &str = include_str!("../sql/webhook/list_secrets.sql");
const REMOVE: &str = include_str!("../sql/webhook/remove.sql");
const TAKE: &str = include_str!("../sql/webhook_message/take.sql");
const LEAVE: &str = include_str!("../sql/webhook_message/leave.sql");

/// A webhook, without what makes its signatures good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRow {
    pub id: i64,
    pub name: WebhookName,
    /// What its signatures are good for.
    pub grant: Grant,
    /// RFC 3339 in UTC.
    pub created_at: String,
    /// Until when the secret before this one is good, too.
    pub former_till: Option<String>,
}

/// What signatures are made with.
#[derive(Clone)]
pub struct Secret(pub Vec<u8>);

/// A webhook with the secrets that are good now.
#[derive(Clone)]
pub struct Signer {
    pub id: i64,
    pub name: WebhookName,
    pub grant: Grant,
    pub secrets: Vec<Secret>,
}

/// Makes a webhook; gives `None` if there is one of this name.
#[derive(Clone)]
pub struct CreateWebhook {
    pub name: WebhookName,
    pub grant: Grant,
    pub secret: Secret,
}

/// Gives a webhook another secret; the one before stays good for `grace`. Gives `None` if there is no such webhook.
#[derive(Clone)]
pub struct RotateWebhook {
    pub name: WebhookName,
    pub secret: Secret,
    pub grace: Duration,
}

/// Lists webhooks, the oldest first.
#[derive(Debug, Clone)]
pub struct ListWebhooks {
    pub after: i64,
    pub limit: i64,
}

/// Lists who may sign.
#[derive(Debug, Clone)]
pub struct ListSigners;

/// Ends a webhook; tells whether there was one.
#[derive(Debug, Clone)]
pub struct RemoveWebhook {
    pub name: WebhookName,
}

/// A message as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub webhook: WebhookName,
    pub id: String,
    pub sent_at: Timestamp,
}

/// Takes a message, unless it was taken before: tells whether it is new. What is older than `memory` is forgotten.
#[derive(Debug, Clone)]
pub struct TakeMessage {
    pub message: Message,
    pub memory: Duration,
}

/// Gives a message back that was taken and could not be stored.
#[derive(Debug, Clone)]
pub struct LeaveMessage(pub Message);

fn webhook(row: &Row) -> Result<WebhookRow, Fault> {
    Ok(WebhookRow {
        id: get(row, "id")?,
        name: parsed(row, "name")?,
        grant: grant(row, Role::Notify)?,
        created_at: time(get::<Timestamp>(row, "created_at")?),
        former_till: get::<Option<Timestamp>>(row, "former_till")?.map(time),
    })
}

impl Request for CreateWebhook {
    type Reply = Option<WebhookRow>;

    const ACTION: &'static str = "create a webhook";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<Option<WebhookRow>, Fault> {
        let Limits { entities, sources, rate } = Limits::of(&self.grant)?;
        let row = session.find(CREATE, &[&self.name.as_str(), &self.secret.0, &entities, &sources, &rate]).await?;
        row.as_ref().map(webhook).transpose()
    }
}

impl Request for RotateWebhook {
    type Reply = Option<WebhookRow>;

    const ACTION: &'static str = "give a webhook another secret";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<Option<WebhookRow>, Fault> {
        let grace = micros(self.grace);
        let row = session.find(ROTATE, &[&self.name.as_str(), &self.secret.0, &grace]).await?;
        row.as_ref().map(webhook).transpose()
    }
}

impl Request for ListWebhooks {
    type Reply = Page<WebhookRow>;

    const ACTION: &'static str = "list webhooks";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Page<WebhookRow>, Fault> {
        let rows = session.list(LIST, &[&self.after, &self.limit.saturating_add(1)]).await?;
        page(&rows, self.limit, webhook, |row| row.id)
    }
}

impl Request for ListSigners {
    type Reply = Vec<Signer>;

    const ACTION: &'static str = "list who may sign";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Vec<Signer>, Fault> {
        let rows = session.list(LIST_SECRETS, &[]).await?;
        let signer = |row: &Row| {
            let present = Some(get::<Vec<u8>>(row, "secret")?);
            let former = get::<Option<Vec<u8>>>(row, "former")?;
            Ok(Signer {
                id: get(row, "id")?,
                name: parsed(row, "name")?,
                grant: grant(row, Role::Notify)?,
                secrets: present.into_iter().chain(former).map(Secret).collect(),
            })
        };
        rows.iter().map(signer).collect()
    }
}

impl Request for RemoveWebhook {
    type Reply = bool;

    const ACTION: &'static str = "end a webhook";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<bool, Fault> {
        Ok(session.execute(REMOVE, &[&self.name.as_str()]).await? > 0)
    }
}

impl Effective for RemoveWebhook {
    fn effect(is_gone: &bool) -> Option<Effect> {
        is_gone.then_some(Effect::Done)
    }
}

impl Request for TakeMessage {
    type Reply = bool;

    const ACTION: &'static str = "take a webhook's message";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<bool, Fault> {
        let Message { webhook, id, sent_at } = &self.message;
        let memory = micros(self.memory);
        Ok(session.execute(TAKE, &[&webhook.as_str(), id, sent_at, &memory]).await? > 0)
    }
}

impl Request for LeaveMessage {
    type Reply = ();

    const ACTION: &'static str = "give a webhook's message back";

    const MODE: Mode = Mode::Statements;

    async fn attempt(&self, session: &Session<'_>) -> Result<(), Fault> {
        let Message { webhook, id, sent_at } = &self.0;
        session.execute(LEAVE, &[&webhook.as_str(), id, sent_at]).await.map(drop)
    }
}
