//! The copies of a record that an undo brings back: those that were never gone are not made anew.

use futures_util::future::join_all;
use slog::info;

use crate::domain::plan::{Will, reclaim};
use crate::domain::record::{Known, Link, RecordState};
use crate::log::key;
use crate::store::StoreError;

use super::super::store::requests::look::ListGone;
use super::{Look, Readings};

impl Look {
    /// Reads the copies that a removed record had, where an undo brings it back, and links those that are there still.
    ///
    /// A source may have said of everything that it does not exist. What was removed elsewhere for that is made anew there, and not
    /// beside the item that was never gone.
    pub(super) async fn reclaim(&self, known: &mut Known, taken: &mut Readings, will: &Will) -> Result<(), StoreError> {
        let returns = matches!(will, Will::Undo { state: RecordState::Live, .. });
        if !returns || known.record.state != RecordState::Deleted {
            return Ok(());
        }
        let (entity, record) = (self.desk.entity.name.clone(), known.record.id);
        let gone = self.desk.insist(ListGone { entity, record }).await?;
        let readings = gone.into_iter().map(async |(source, gone)| {
            let reading = match taken.get(&source) {
                Some(reading) => reading.clone(),
                None => self.read_one(&source, &gone.key).await,
            };
            (source, gone, reading)
        });
        let readings = join_all(readings).await;
        for (source, gone, reading) in readings {
            let Some(traits) = self.desk.terms.sources.get(&source) else { continue };
            let link = known.links.get(&source).cloned().unwrap_or_else(Link::unlinked);
            if let Some(link) = reclaim(&link, &gone, &reading.reading, traits) {
                info!(self.log, "copy reclaimed"; key::INTERNAL_KEY => record.0, key::SOURCE => %source,
                    key::FOREIGN_KEY => %gone.key);
                known.links.insert(source.clone(), link);
                taken.insert(source, reading);
            }
        }
        Ok(())
    }
}
