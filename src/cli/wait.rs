//! Waiting until a work item has come to its end.

use std::time::{Duration, Instant};

use super::args::Format;
use super::context::Context;
use super::error::CliError;
use super::{output, show, work};
use crate::api::client::{Answer, Client, ClientError};
use crate::api::wire::work::{WorkItem, WorkState};

/// How long between two questions, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The outcomes of an order that was not carried out.
const REFUSALS: [&str; 2] = ["refused", "stale"];

/// A work item that is done or parked.
pub(super) struct Ended {
    pub(super) answer: Answer<WorkItem>,
}

/// Asks for the item until it is done or parked, going on to the item into which it was coalesced.
///
/// A daemon that is away meanwhile is waited for too: the item is durable.
pub(super) async fn until_ended(client: &Client, item: i64, timeout: Duration) -> Result<Ended, CliError> {
    let begun = Instant::now();
    let (mut item, mut pause) = (item, FIRST_PAUSE);
    loop {
        let asked = client.work_item(item).await;
        let over = begun.elapsed() >= timeout;
        match asked {
            Ok(answer) => match (answer.value.state, answer.value.coalesced_into) {
                (WorkState::Done, Some(other)) => {
                    item = other;
                    continue;
                }
                (WorkState::Done | WorkState::Parked, _) => return Ok(Ended { answer }),
                (state @ (WorkState::Ready | WorkState::Running | WorkState::Waiting), _) if over => {
                    let error = answer.value.last_error;
                    return Err(CliError::StillThere { item, state, waited: timeout, error });
                }
                (WorkState::Ready | WorkState::Running | WorkState::Waiting, _) => {}
            },
            Err(error) if over || !passes(&error) => {
                return Err(CliError::refused(format!("ask for work item {item}"), error));
            }
            Err(_) => {}
        }
        tokio::time::sleep(pause.min(timeout.saturating_sub(begun.elapsed()))).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

/// Says whether asking again may help.
fn passes(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } => true,
        ClientError::Problem(problem) => problem.status == 503,
        ClientError::BadUrl { .. } | ClientError::BadToken | ClientError::Setup(_) | ClientError::BadAnswer { .. } => {
            false
        }
    }
}

impl Ended {
    /// Prints the item, and what came of it.
    pub(super) async fn print(&self, client: &Client, context: &Context) -> Result<(), CliError> {
        match context.format() {
            Format::Json => output::print(&self.answer.body),
            Format::Text => output::print(&text(client, &self.answer.value).await),
        }
    }

    /// Fails if the item is parked, or was an order that was refused.
    pub(super) fn verdict(self) -> Result<(), CliError> {
        let item = self.answer.value;
        match item.state {
            WorkState::Parked => Err(CliError::Parked { item: item.id, error: item.last_error }),
            WorkState::Done if item.outcome.as_deref().is_some_and(|outcome| REFUSALS.contains(&outcome)) => {
                Err(CliError::OrderRefused { item: item.id })
            }
            WorkState::Ready | WorkState::Running | WorkState::Waiting | WorkState::Done => Ok(()),
        }
    }
}

/// Says what came of it: the item's outcome, and the record as it is now, if that can be had.
async fn text(client: &Client, item: &WorkItem) -> String {
    let mut text = work::line(item);
    text.push('\n');
    if let Some(record) = item.record
        && let Ok(record) = client.record(&item.entity, record).await
    {
        text.push_str(&show::summary(&record.value));
    }
    text
}

/// Reads a duration, such as `90`, `90s` or `5m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    let friendly = || text.parse::<jiff::SignedDuration>().ok()?.try_into().ok();
    seconds.or_else(friendly).ok_or_else(|| "expected a duration such as 90s or 5m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_of_seconds_or_has_a_unit() {
        for (text, millis) in [("90", 90_000), ("90s", 90_000), ("5m", 300_000), ("250ms", 250), ("0", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "-1s", "soon", "5 parsecs", "1e3"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
