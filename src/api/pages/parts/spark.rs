//! A small graph of what was done in each minute of an hour, with the same in words.

use std::fmt::Write as _;

use askama::Template;
use askama::filters::HtmlSafe;

use super::number::Grouped;
use crate::metrics::MINUTES;

/// How high the graph is, in units of its own.
const HEIGHT: u32 = 20;

/// The graph.
#[derive(Template)]
#[template(path = "parts/spark.html", config = "src/api/pages/askama.toml")]
pub(crate) struct Spark {
    /// The bars, as a path.
    bars: String,
    sum: u64,
    most: u32,
}

impl HtmlSafe for Spark {}

impl Spark {
    /// Draws the minutes, the oldest first.
    pub(crate) fn new(minutes: [u32; MINUTES]) -> Self {
        let most = minutes.iter().copied().max().unwrap_or(0);
        let mut bars = String::new();
        for (place, number) in minutes.iter().enumerate().filter(|(_, number)| **number > 0) {
            let height = (u64::from(*number) * u64::from(HEIGHT)).div_ceil(u64::from(most.max(1)));
            write!(bars, "M{place} {HEIGHT}v-{height}").expect("a string takes every text");
        }
        Self { bars, sum: minutes.iter().map(|number| u64::from(*number)).sum(), most }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_minute_in_which_something_was_done_is_a_bar_and_the_numbers_are_said() {
        let mut minutes = [0; MINUTES];
        (minutes[0], minutes[59]) = (1, 40);
        let spark = Spark::new(minutes);
        assert_eq!(spark.bars, "M0 20v-1M59 20v-20");
        let text = spark.to_string();
        assert!(text.contains("41 looks in the last hour, at most 40 in a minute"), "{text}");
        assert!(Spark::new([0; MINUTES]).to_string().contains("no looks in the last hour"));
    }
}
