//! What this process has counted. A number that is zero is left out.

use std::time::Duration;

use crate::metrics::{Counted, Kind, Page};

/// A time that an invocation spends on passing a throttle without waiting.
const NO_WAIT: Duration = Duration::from_millis(1);

pub(super) fn write(page: &mut Page, counted: &Counted) {
    let help =
        "Notifications that were stored: as work of their own (queued), or with what waited already (coalesced).";
    let mut notifications = page.family("retcon_notifications_total", Kind::Counter, help);
    for ((entity, coalesced), number) in &counted.notifications {
        let result = if *coalesced { "coalesced" } else { "queued" };
        notifications.count(&[("entity", entity.as_str()), ("result", result)], *number);
    }
    invocations(page, counted);
    let help = "Looks at records, by what they came to.";
    let mut looks = page.family("retcon_looks_total", Kind::Counter, help);
    for (outcome, number) in &counted.looks {
        looks.count(&[("outcome", outcome)], *number);
    }
    let help = "How long looks at records took, waits for the throttle included.";
    page.family("retcon_look_duration_seconds", Kind::Histogram, help).histogram(&[], &counted.look_durations);
    let help = "Requests to the API that were answered; problem is empty where there was none.";
    let mut requests = page.family("retcon_http_requests_total", Kind::Counter, help);
    for (request, number) in &counted.requests {
        let status = request.status.to_string();
        let labels = [
            ("method", request.method),
            ("route", request.route.as_str()),
            ("status", status.as_str()),
            ("problem", request.problem),
        ];
        requests.count(&labels, *number);
    }
}

fn invocations(page: &mut Page, counted: &Counted) {
    let help = "Runs of the programs of sources that have ended, by what their end means.";
    let mut invocations = page.family("retcon_invocations_total", Kind::Counter, help);
    for (invocation, number) in &counted.invocations {
        let labels = [
            ("entity", invocation.entity.as_str()),
            ("source", invocation.source.as_str()),
            ("operation", invocation.operation),
            ("outcome", invocation.outcome),
        ];
        invocations.count(&labels, *number);
    }
    let help = "How long the runs of the programs of sources took.";
    let mut durations = page.family("retcon_invocation_duration_seconds", Kind::Histogram, help);
    for (operation, histogram) in &counted.durations {
        durations.histogram(&[("operation", operation)], histogram);
    }
    let help = "How long invocations have waited for their entity's throttle, all together.";
    let mut waited = page.family("retcon_throttle_waited_seconds_total", Kind::Counter, help);
    for (entity, time) in counted.waited.iter().filter(|(_, time)| **time >= NO_WAIT) {
        waited.sample(&[("entity", entity.as_str())], time.as_secs_f64());
    }
}
