//! What a look would come to: up to the plan, which is not carried out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::domain::key::InternalKey;
use crate::domain::plan::{Fate, Held, Preview, Will};
use crate::domain::record::Reading;
use crate::log::{chain, key};
use crate::source::boot_time::BootTime;
use crate::store::StoreError;

use super::super::desk::SharedDesk;
use super::super::errand::Taken;
use super::super::messages::{Ordered, PreviewReady, Previewed};
use super::super::store::requests::look::Recall;
use super::super::store::requests::queue::Deed;
use super::order::lacks_its_key;
use super::{Look, Readings, readings};

/// Says what a deed would come to, or an ordinary look. Records nothing, and writes nothing.
pub(in crate::actor) async fn preview(desk: SharedDesk, record: InternalKey, deed: Option<Deed>) -> Previewed {
    let log = desk.log.new(slog::o!(key::INTERNAL_KEY => record.0));
    let look = Look { desk, items: Vec::new(), log, began: Instant::now() };
    look.foresee(record, deed.as_ref()).await.unwrap_or_else(|error| Previewed::Failed(chain(&error)))
}

impl Look {
    async fn foresee(&self, record: InternalKey, deed: Option<&Deed>) -> Result<Previewed, StoreError> {
        let _alone = self.desk.workshop.alone_with(record).await;
        let recall = Recall { entity: self.desk.entity.name.clone(), record };
        let Some(mut known) = self.desk.ask(recall).await? else { return Ok(Previewed::Refused(Ordered::NotFound)) };
        let will = match deed {
            None => Will::Nothing,
            Some(deed) => match self.acting(&known, deed).await? {
                Ok(will) => will,
                Err(refused) => return Ok(Previewed::Refused(refused)),
            },
        };
        // A search is a look's own: what it finds goes on record.
        let not_now =
            || Taken::none(Reading::Unreachable("it is found out first what an earlier create made".to_owned()));
        let mut taken: Readings = self.sought(&known).into_iter().map(|name| (name, not_now())).collect();
        let mut held = Held::new();
        let Some(plan) = self.reach(&mut known, &mut taken, &will, &mut held).await? else {
            return Ok(Previewed::Reading);
        };
        if let Fate::Vain(place) = &plan.fate {
            return Ok(Previewed::Refused(lacks_its_key(place)));
        }
        let preview = Preview::of(&known, &readings(&taken), &self.desk.terms, &self.sought(&known), &plan);
        let now = BootTime::now();
        let ages: BTreeMap<_, _> = taken.iter().map(|(name, taken)| (name.clone(), now - taken.at)).collect();
        Ok(Previewed::Ready(Arc::new(PreviewReady { preview, at: SystemTime::now(), ages })))
    }
}
