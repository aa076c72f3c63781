//! The text format of Prometheus, version 0.0.4.

use std::fmt::Write;

use super::Histogram;

/// What kind of number a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
    Histogram,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// All that is measured, as it is read.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
}

/// One name with its samples, which are to stand together. One without samples is announced all the same.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Page {
    /// The content type of the text.
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a family; `help` is a sentence without a line break or a backslash.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {}", kind.as_str());
        Family { text: &mut self.text, name }
    }

    /// Writes a family of one sample without labels.
    pub fn single(&mut self, name: &'static str, kind: Kind, help: &str, value: f64) {
        self.family(name, kind, help).sample(&[], value);
    }

    /// Gives the text.
    pub fn into_text(self) -> String {
        self.text
    }
}

impl Family<'_> {
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        self.line("", labels, None, value);
    }

    /// Writes a number of things.
    pub fn count(&mut self, labels: &[(&str, &str)], value: u64) {
        // Beyond 2^53 the format itself, which knows floats alone, is not exact.
        self.sample(labels, value as f64);
    }

    /// Writes all samples of a histogram.
    pub fn histogram(&mut self, labels: &[(&str, &str)], histogram: &Histogram) {
        for (bound, count) in histogram.up_to() {
            self.line("_bucket", labels, Some(&bound.to_string()), count as f64);
        }
        self.line("_bucket", labels, Some("+Inf"), histogram.count() as f64);
        self.line("_sum", labels, None, histogram.sum().as_secs_f64());
        self.line("_count", labels, None, histogram.count() as f64);
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], bound: Option<&str>, value: f64) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        let mut before = '{';
        for (name, text) in labels.iter().copied().chain(bound.map(|bound| ("le", bound))) {
            self.text.push(before);
            self.text.push_str(name);
            self.text.push_str("=\"");
            self.escape(text);
            self.text.push('"');
            before = ',';
        }
        let end = if before == ',' { "}" } else { "" };
        let _ = writeln!(self.text, "{end} {value}");
    }

    fn escape(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\\' => self.text.push_str("\\\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str("\\n"),
                c => self.text.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_family_is_announced_and_its_samples_follow() {
        let mut page = Page::default();
        page.single("retcon_up", Kind::Gauge, "Whether it is up.", 1.0);
        let mut family = page.family("retcon_things_total", Kind::Counter, "Things.");
        family.count(&[("entity", "customer"), ("why", "a\"b\\c\nd")], 3);
        page.family("retcon_none", Kind::Gauge, "Nothing.");
        let expected = "# HELP retcon_up Whether it is up.\n# TYPE retcon_up gauge\nretcon_up 1\n\
            # HELP retcon_things_total Things.\n# TYPE retcon_things_total counter\n\
            retcon_things_total{entity=\"customer\",why=\"a\\\"b\\\\c\\nd\"} 3\n\
            # HELP retcon_none Nothing.\n# TYPE retcon_none gauge\n";
        assert_eq!(page.into_text(), expected);
    }

    #[test]
    fn a_histogram_ends_with_the_sum_and_the_count_of_all() {
        let mut histogram = Histogram::default();
        histogram.add(Duration::from_millis(1500));
        let mut page = Page::default();
        page.family("retcon_wait_seconds", Kind::Histogram, "Waits.").histogram(&[("operation", "read")], &histogram);
        let text = page.into_text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2], "retcon_wait_seconds_bucket{operation=\"read\",le=\"0.001\"} 0");
        assert_eq!(lines[11], "retcon_wait_seconds_bucket{operation=\"read\",le=\"5\"} 1");
        let last = [
            "retcon_wait_seconds_bucket{operation=\"read\",le=\"+Inf\"} 1",
            "retcon_wait_seconds_sum{operation=\"read\"} 1.5",
            "retcon_wait_seconds_count{operation=\"read\"} 1",
        ];
        assert_eq!(lines[14..], last);
    }
}
