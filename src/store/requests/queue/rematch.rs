//! Match values by other rules: those of records that are known already are made anew, before any new item is compared with them.

use crate::domain::matching;
use crate::store::columns::{document, get};
use crate::store::run::{Authority, Fault, Request, Session, Step};

use super::Rematch;

const ASK: &str = include_str!("../../sql/work_item/ask.sql");
const CLEAR: &str = include_str!("../../sql/match_value/clear.sql");
const FIND_RULES: &str = include_str!("../../sql/entity/find_match_rules.sql");
const LIST_AGREED: &str = include_str!("../../sql/record/list_agreed.sql");
const PUT_MATCHES: &str = include_str!("../../sql/match_value/put.sql");
const PUT_RULES: &str = include_str!("../../sql/entity/put_match_rules.sql");

/// How many records one transaction is about.
const PART: i64 = 1000;

impl Request for Rematch {
    type Reply = Option<i64>;

    const ACTION: &'static str = "make match values";

    const AUTHORITY: Authority = Authority::Server;

    async fn attempt(&self, session: &Session<'_>) -> Result<Option<i64>, Fault> {
        match self.after {
            None => self.begin(session).await,
            Some(after) => self.go_on(session, after).await,
        }
    }
}

impl Rematch {
    /// Takes the values away that were made by other rules. Whoever is cut off before the last of the new ones is made begins anew.
    async fn begin(&self, session: &Session<'_>) -> Result<Option<i64>, Fault> {
        let entity = || Box::new(self.entity.as_str().to_owned());
        let [found] = session.pipeline_of([Step::new(FIND_RULES, [entity()])]).await?;
        let former: Option<Option<&str>> = found.first().map(|row| get(row, "match_rules")).transpose()?;
        let rules = matching::rules_of_values(&self.rules);
        if former.flatten() == rules.as_deref() {
            return Ok(None);
        }
        session.pipeline(vec![Step::new(CLEAR, [entity()])]).await?;
        Ok(rules.map(|_| 0))
    }

    /// Makes the values of the next records. A new item of which nothing is agreed yet is known by what its copy holds: it is looked at.
    async fn go_on(&self, session: &Session<'_>, after: i64) -> Result<Option<i64>, Fault> {
        let entity = || Box::new(self.entity.as_str().to_owned());
        let Some(rules) = matching::rules_of_values(&self.rules) else { return Ok(None) };
        let [rows] = session.pipeline_of([Step::new(LIST_AGREED, [entity(), Box::new(after), Box::new(PART)])]).await?;
        let (mut records, mut values, mut unagreed) = (Vec::new(), Vec::new(), Vec::new());
        for row in &rows {
            let id: i64 = get(row, "id")?;
            // What cannot be read is the affair of whoever looks at it.
            match document(row, "agreed") {
                Ok(Some(agreed)) => {
                    records.push(id);
                    values.push(matching::match_value(&agreed, &self.rules));
                }
                Ok(None) => unagreed.push(id),
                Err(_) => {}
            }
        }
        let last = rows.last().map(|row| get::<i64>(row, "id")).transpose()?;
        let steps = match last {
            Some(_) => vec![
                Step::new(PUT_MATCHES, [entity(), Box::new(records), Box::new(values)]),
                Step::new(ASK, [entity(), Box::new(unagreed)]),
            ],
            None => vec![Step::new(PUT_RULES, [entity(), Box::new(rules)])],
        };
        session.pipeline(steps).await?;
        Ok(last)
    }
}
