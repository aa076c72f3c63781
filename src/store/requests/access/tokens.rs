//! Tokens, as they are made, known and ended.

use std::collections::BTreeSet;
use std::error::Error;
use std::str::FromStr;

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::domain::access::{Grant, TokenHash};
use crate::store::columns::{get, parse, parsed, time, unreadable};
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
        let Grant { role, entities, sources, rate } = &self.grant;
        let entities: Vec<&str> = entities.iter().map(|name| name.as_str()).collect();
        let sources: Vec<&str> = sources.iter().map(|name| name.as_str()).collect();
        let rate = i32::try_from(*rate).map_err(|error| unreadable("rate", error))?;
        let (name, hash) = (self.name.as_str(), self.hash.0.as_slice());
        let row = session.find(CREATE, &[&name, &hash, &role.as_str(), &entities, &sources, &rate]).await?;
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

fn token_row(row: &Row) -> Result<TokenRow, Fault> {
    let hash = get::<&[u8]>(row, "hash")?.try_into().map_err(|error| unreadable("hash", error))?;
    let rate = u32::try_from(get::<i32>(row, "rate")?).map_err(|error| unreadable("rate", error))?;
    let (entities, sources) = (names(row, "entities")?, names(row, "sources")?);
    Ok(TokenRow {
        id: get(row, "id")?,
        name: parsed(row, "name")?,
        hash: TokenHash(hash),
        grant: Grant { role: parsed(row, "role")?, entities, sources, rate },
        created_at: time(get::<Timestamp>(row, "created_at")?),
    })
}

fn names<T>(row: &Row, column: &'static str) -> Result<BTreeSet<T>, Fault>
where
    T: FromStr<Err: Error + Send + Sync + 'static> + Ord,
{
    get::<Vec<&str>>(row, column)?.into_iter().map(|name| parse(name, column)).collect()
}
