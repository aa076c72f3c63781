//! A moment, as one speaks of it, with the exact time at hand.

use askama::Template;
use askama::filters::HtmlSafe;
use jiff::Timestamp;

/// A moment.
#[derive(Template)]
#[template(path = "parts/when.html", config = "src/api/pages/askama.toml")]
pub(crate) struct When {
    /// RFC 3339 in UTC.
    at: String,
    spoken: String,
}

impl HtmlSafe for When {}

impl When {
    /// Speaks of a time in RFC 3339.
    pub(crate) fn of(at: &str) -> Self {
        Self::seen_from(at, Timestamp::now())
    }

    /// Speaks of how long something has been so that began then.
    pub(crate) fn since(at: &str) -> Self {
        let spoken = at.parse().map_or_else(|_| at.to_owned(), |then| format!("for {}", span_since(then)));
        Self { at: at.to_owned(), spoken }
    }

    fn seen_from(at: &str, now: Timestamp) -> Self {
        let spoken = at.parse::<Timestamp>().map_or_else(
            |_| at.to_owned(),
            |then| {
                let seconds = now.duration_since(then).as_secs();
                match u64::try_from(seconds) {
                    Ok(0..5) => "just now".to_owned(),
                    Ok(seconds) => format!("{} ago", span(seconds)),
                    Err(_) => format!("in {}", span(seconds.unsigned_abs())),
                }
            },
        );
        Self { at: at.to_owned(), spoken }
    }

    /// To the second: `2026-11-22 13:47:30 UTC`.
    fn exact(&self) -> String {
        let second = self.at.split_once('.').map_or(self.at.trim_end_matches('Z'), |(second, _)| second);
        format!("{} UTC", second.replacen('T', " ", 1))
    }
}

/// Says for how long something has been so: `12 min`.
pub(crate) fn span_since(then: Timestamp) -> String {
    span(u64::try_from(Timestamp::now().duration_since(then).as_secs()).unwrap_or(0))
}

/// Says how long something takes, by its largest unit.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_spoken_of_as_seen_from_now() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        for (at, spoken) in [
            ("2026-11-22T11:59:58.123456Z", "just now"),
            ("2026-11-22T11:59:15Z", "45 s ago"),
            ("2026-11-22T11:48:00Z", "12 min ago"),
            ("2026-11-21T12:00:00Z", "24 h ago"),
            ("2026-11-12T12:00:00Z", "10 days ago"),
            ("2026-11-22T12:05:00Z", "in 5 min"),
            ("some day", "some day"),
        ] {
            assert_eq!(When::seen_from(at, now).spoken, spoken, "{at}");
        }
        let when = When::seen_from("2026-11-22T11:48:00.123456Z", now);
        assert_eq!(when.exact(), "2026-11-22 11:48:00 UTC");
    }
}
