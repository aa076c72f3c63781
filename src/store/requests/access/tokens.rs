//! Tokens, as they are made, known and ended.

use std::collections::BTreeSet;
use std::error::Error;
use std::str::FromStr;

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::domain::access::{Grant, Role, TokenHash};
use crate::store::columns::{get, parse, parsed, time, unreadable};
use crate::store::requests::repeatable::{Effect, Effective};
use crate::store::run::{Fault, Mode, Request, Session};

use super::{CreateToken, ListTokens, RevokeToken, TokenRow};

const LIST: &str = include_str!("../../sql/token/list.sql");
const CREATE: &str = include_str!("../../sql/token/create.sql");
const REVOKE: &str = include_str!("../../sql/token/revoke.sql");

impl Request for ListTokens {
    type Reply = Vec<TokenRow>;

    const ACTION: &'static str = "list tokens";

    const MODE: Mode = Mode::Statements;

    const WRITES: bool = false;

    async fn attempt(&self, session: &Session<'_>) -> Result<Vec<TokenRow>, Fault> {
        session.list(LIST, &[]).await?.iter().map(token_row).collect()
    }
}

impl Request for CreateToken {
    type Reply = Option<TokenRow>;

    const ACTION: &'static str = "create a token";

    async fn attempt(&self, session: &Session<'_>) -> Result<Option<TokenRow>, Fault> {
        let Limits { entities, sources, rate } = Limits::of(&self.grant)?;
        let (name, hash, role) = (self.name.as_str(), self.hash.0.as_slice(), self.grant.role.as_str());
        let row = session.find(CREATE, &[&name, &hash, &role, &entities, &sources, &rate]).await?;
        row.as_ref().map(token_row).transpose()
    }
}

impl Request for RevokeToken {
    type Reply = bool;

    const ACTION: &'static str = "revoke a token";

    async fn attempt(&self, session: &Session<'_>) -> Result<bool, Fault> {
        Ok(session.execute(REVOKE, &[&self.name.as_str()]).await? > 0)
    }
}

impl Effective for RevokeToken {
    fn effect(is_gone: &bool) -> Option<Effect> {
        is_gone.then_some(Effect::Done)
    }
}

fn token_row(row: &Row) -> Result<TokenRow, Fault> {
    let hash = get::<&[u8]>(row, "hash")?.try_into().map_err(|error| unreadable("hash", error))?;
    Ok(TokenRow {
        id: get(row, "id")?,
        name: parsed(row, "name")?,
        hash: TokenHash(hash),
        grant: grant(row, parsed(row, "role")?)?,
        created_at: time(get::<Timestamp>(row, "created_at")?),
    })
}

/// What a grant is limited to, as it is stored.
pub(in crate::store::requests) struct Limits<'a> {
    pub(in crate::store::requests) entities: Vec<&'a str>,
    pub(in crate::store::requests) sources: Vec<&'a str>,
    pub(in crate::store::requests) rate: i32,
}

impl<'a> Limits<'a> {
    pub(in crate::store::requests) fn of(grant: &'a Grant) -> Result<Self, Fault> {
        Ok(Self {
            entities: grant.entities.iter().map(|name| name.as_str()).collect(),
            sources: grant.sources.iter().map(|name| name.as_str()).collect(),
            rate: i32::try_from(grant.rate).map_err(|error| unreadable("rate", error))?,
        })
    }
}

/// Reads what somebody with this role may do.
pub(in crate::store::requests) fn grant(row: &Row, role: Role) -> Result<Grant, Fault> {
    let rate = u32::try_from(get::<i32>(row, "rate")?).map_err(|error| unreadable("rate", error))?;
    Ok(Grant { role, entities: names(row, "entities")?, sources: names(row, "sources")?, rate })
}

fn names<T>(row: &Row, column: &'static str) -> Result<BTreeSet<T>, Fault>
where
    T: FromStr<Err: Error + Send + Sync + 'static> + Ord,
{
    get::<Vec<&str>>(row, column)?.into_iter().map(|name| parse(name, column)).collect()
}
