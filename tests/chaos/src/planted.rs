//! The mistakes that can be planted into a daemon, and what must be found of each.

use std::collections::BTreeSet;

use crate::check::Findings;
use crate::report::Verdict;

/// A mistake, and the invariants that it breaks: one of them at least must be found broken.
#[derive(Debug, Clone, Copy)]
pub struct Mistake {
    pub name: &'static str,
    pub breaks: &'static [&'static str],
    /// How the run is to be made in which it shows.
    pub course: Course,
}

/// How runs with planted mistakes are made, and one without: that one must be valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Course {
    /// As any run of that length.
    Usual,
    /// With two daemons, of which one stands still for longer than its lease lasts.
    Rivals,
}

impl Course {
    pub const ALL: [Self; 2] = [Self::Usual, Self::Rivals];

    pub fn name(self) -> &'static str {
        match self {
            Self::Usual => "nothing",
            Self::Rivals => "nothing, with rivals",
        }
    }
}

const fn usual(name: &'static str, breaks: &'static [&'static str]) -> Mistake {
    Mistake { name, breaks, course: Course::Usual }
}

/// All of them.
pub const MISTAKES: [Mistake; 14] = [
    usual("delete-on-exit-1", &["I5"]),
    usual("no-intent", &["I13"]),
    Mistake { name: "no-fencing", breaks: &["I11"], course: Course::Rivals },
    usual("coalesce-into-running", &["I1"]),
    usual("ignore-own-create", &["I3"]),
    usual("numbers-as-floats", &["I14"]),
    usual("forget-overruled", &["I2"]),
    usual("stale-resolution", &["I15"]),
    usual("drop-on-unavailable", &["I12"]),
    // What was acknowledged is not looked at, and stands there at rest.
    usual("no-recovery", &["I1", "I7"]),
    usual("forget-doubt", &["I3"]),
    usual("resurrect", &["I4"]),
    usual("no-throttle", &["I10"]),
    // The copy that was not written looks as if somebody had changed it back.
    usual("believe-failed-update", &["I2", "I7"]),
];

/// What a run showed of a mistake.
#[derive(Debug, Clone)]
pub struct Row {
    /// The mistake's name, or that nothing was planted.
    pub name: String,
    pub seconds: u64,
    pub verdict: Verdict,
    /// The invariants that were found broken.
    pub broken: BTreeSet<&'static str>,
    /// Those of which one must be; empty: none may be.
    pub breaks: &'static [&'static str],
}

impl Row {
    pub fn new(
        name: &str,
        seconds: u64,
        verdict: Verdict,
        findings: &Findings,
        breaks: &'static [&'static str],
    ) -> Self {
        let broken = findings.findings.iter().map(|found| found.invariant).collect();
        Self { name: name.to_owned(), seconds, verdict, broken, breaks }
    }

    /// Tells whether the run showed what it had to.
    pub fn is_as_it_should_be(&self) -> bool {
        match self.verdict {
            Verdict::Valid => self.breaks.is_empty(),
            Verdict::Invalid => self.breaks.iter().any(|invariant| self.broken.contains(invariant)),
            Verdict::Void => false,
        }
    }

    /// Gives its line of the table.
    pub fn line(&self) -> String {
        let by: Vec<&str> = self.breaks.iter().filter(|name| self.broken.contains(*name)).copied().collect();
        let besides: Vec<&str> = self.broken.iter().filter(|name| !self.breaks.contains(name)).copied().collect();
        let found = match (self.breaks.is_empty(), self.is_as_it_should_be()) {
            (true, true) => "as it should be".to_owned(),
            (true, false) => "NOT AS IT SHOULD BE".to_owned(),
            (false, true) => format!("caught by {}", by.join(", ")),
            (false, false) => format!("NOT CAUGHT by {}", self.breaks.join(" nor ")),
        };
        let besides = if besides.is_empty() { String::new() } else { format!("; besides {}", besides.join(", ")) };
        format!("{:24} {:>5} s  {:8} {found}{besides}", self.name, self.seconds, self.verdict.as_str())
    }
}

/// Compares with what a daemon's program says of itself: gives the names that only one of the two knows.
pub fn unknown(told: &[String]) -> Vec<String> {
    let told: BTreeSet<&str> = told.iter().map(String::as_str).collect();
    let known: BTreeSet<&str> = MISTAKES.iter().map(|mistake| mistake.name).collect();
    told.symmetric_difference(&known).map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Finding;

    fn row(verdict: Verdict, broken: &[&'static str], breaks: &'static [&'static str]) -> Row {
        let found = |invariant: &&'static str| Finding { invariant, text: String::new(), evidence: Vec::new() };
        let findings = Findings { findings: broken.iter().map(found).collect(), ..Findings::default() };
        Row::new("no-intent", 20, verdict, &findings, breaks)
    }

    #[test]
    fn a_mistake_is_caught_by_the_invariant_that_it_breaks_and_by_no_other() {
        let caught = row(Verdict::Invalid, &["I7", "I13"], &["I13"]);
        assert!(caught.is_as_it_should_be());
        assert_eq!(caught.line(), "no-intent                   20 s  invalid  caught by I13; besides I7");
        let missed = row(Verdict::Invalid, &["I7"], &["I13"]);
        assert!(!missed.is_as_it_should_be());
        assert_eq!(missed.line(), "no-intent                   20 s  invalid  NOT CAUGHT by I13; besides I7");
        assert!(!row(Verdict::Valid, &[], &["I13"]).is_as_it_should_be());
        assert!(!row(Verdict::Void, &[], &["I13"]).is_as_it_should_be());
    }

    #[test]
    fn a_run_in_which_nothing_was_planted_must_be_valid() {
        assert!(row(Verdict::Valid, &[], &[]).is_as_it_should_be());
        assert!(!row(Verdict::Invalid, &["I2"], &[]).is_as_it_should_be());
        assert!(!row(Verdict::Void, &[], &[]).is_as_it_should_be());
    }

    #[test]
    fn a_mistake_that_only_one_side_knows_is_named() {
        let mut told: Vec<String> = MISTAKES.iter().map(|mistake| mistake.name.to_owned()).collect();
        assert!(unknown(&told).is_empty());
        told.push("sleep-on-duty".to_owned());
        told.retain(|name| name != "resurrect");
        assert_eq!(unknown(&told), ["resurrect", "sleep-on-duty"]);
    }
}
