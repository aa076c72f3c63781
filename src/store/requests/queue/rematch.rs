//! Match values by other rules: those of records that are known already are made anew, before any new item is compared with them.

use crate::domain::matching;
use crate::store::columns::{document, get};
use crate::store::run::{Authority, Fault, Parameter, Request, Session, Step};

use super::{Rematch, RematchPart};

const ASK: &str = include_str!("../../sql/work_item/ask.sql");
const CLEAR: &str = include_str!("../../sql/match_value/clear.sql");
const FIND_RULES: &str = include_str!("../../sql/entity/find_match_rules.sql");
const LIST_AGREED: &str = include_str!("../../sql/record/list_agreed.sql");
const LOCK_ENTITY: &str = include_str!("../../sql/entity/lock.sql");
const PUT_MATCHES: &str = include_str!("../../sql/match_value/put.sql");
const PUT_RULES: &str = include_str!("../../sql/entity/put_match_rules.sql");

/// How many records one transaction is about at most, and with how much of documents: they are parsed where the connections are served.
const RECORDS: i64 = 1000;
const BYTES: i64 = 4 << 20;
/// How many values are taken away in one transaction.
const VALUES: i64 = 10_000;
/// Stands for the rules while values are taken away and made anew.
const NONE_YET: &str = "";

impl Request for Rematch {
    type Reply = Option<RematchPart>;

    const ACTION: &'static str = "make match values";

    const AUTHORITY: Authority = Authority::Server;

    async fn attempt(&self, session: &Session<'_>) -> Result<Option<RematchPart>, Fault> {
        match self.part {
            RematchPart::Begin => self.begin(session).await,
            RematchPart::Clear => self.clear(session).await,
            RematchPart::Make { after, is_anew } => self.make(session, after, is_anew).await,
        }
    }
}

impl Rematch {
    async fn begin(&self, session: &Session<'_>) -> Result<Option<RematchPart>, Fault> {
        let [found] = session.pipeline_of([Step::new(FIND_RULES, [self.entity()])]).await?;
        let former: Option<Option<&str>> = found.first().map(|row| get(row, "match_rules")).transpose()?;
        match former.flatten() {
            Some(former) if former == matching::rules_of_values(&self.rules) => Ok(None),
            Some(_) => {
                self.put_rules(session, NONE_YET.to_owned()).await?;
                Ok(Some(RematchPart::Clear))
            }
            // A daemon of before has made what there is, by what was in force then, and new items are to be found by that until they are
            // looked at.
            None => Ok(Some(RematchPart::Make { after: 0, is_anew: false })),
        }
    }

    async fn clear(&self, session: &Session<'_>) -> Result<Option<RematchPart>, Fault> {
        let steps = [Step::new(LOCK_ENTITY, [self.entity()]), Step::new(CLEAR, [self.entity(), Box::new(VALUES)])];
        let [_, cleared] = session.pipeline_of(steps).await?;
        let is_over = cleared.is_empty();
        Ok(Some(if is_over { RematchPart::Make { after: 0, is_anew: true } } else { RematchPart::Clear }))
    }

    /// A new item of which nothing is agreed yet is known by what its copy holds: where it is not known any more, it is looked at.
    async fn make(&self, session: &Session<'_>, after: i64, is_anew: bool) -> Result<Option<RematchPart>, Fault> {
        let next = [self.entity(), Box::new(after), Box::new(RECORDS), Box::new(BYTES)];
        let steps = [Step::new(LOCK_ENTITY, [self.entity()]), Step::new(LIST_AGREED, next)];
        let [_, rows] = session.pipeline_of(steps).await?;
        let last = rows.last().map(|row| get::<i64>(row, "id")).transpose()?;
        let Some(after) = last.filter(|_| !self.rules.matching.is_empty()) else {
            self.put_rules(session, matching::rules_of_values(&self.rules)).await?;
            return Ok(None);
        };
        let (mut records, mut values, mut unagreed) = (Vec::new(), Vec::new(), Vec::new());
        for row in &rows {
            let id: i64 = get(row, "id")?;
            // What cannot be read is the affair of whoever looks at it.
            match document(row, "agreed") {
                Ok(Some(agreed)) => {
                    records.push(id);
                    values.push(matching::match_value(&agreed, &self.rules));
                }
                Ok(None) => unagreed.extend(is_anew.then_some(id)),
                Err(_) => {}
            }
        }
        let put = Step::new(PUT_MATCHES, [self.entity(), Box::new(records), Box::new(values)]);
        session.pipeline(vec![put, Step::new(ASK, [self.entity(), Box::new(unagreed)])]).await?;
        Ok(Some(RematchPart::Make { after, is_anew }))
    }

    async fn put_rules(&self, session: &Session<'_>, rules: String) -> Result<(), Fault> {
        session.pipeline(vec![Step::new(PUT_RULES, [self.entity(), Box::new(rules)])]).await.map(drop)
    }

    fn entity(&self) -> Parameter {
        Box::new(self.entity.as_str().to_owned())
    }
}
