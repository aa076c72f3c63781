//! The runs of data sources, as `recorder.sh` wrote them down: in the order in which they began and ended.

use std::path::Path;

/// One line of the log of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunEvent {
    pub(crate) end: RunEnd,
    /// Of the recorder; no two runs under way share it.
    pub(crate) pid: u32,
    /// When its process was started.
    pub(crate) began: Ticks,
    pub(crate) source: String,
    pub(crate) operation: String,
    /// `-` where the daemon named none.
    pub(crate) internal_key: String,
    pub(crate) operation_id: String,
    /// Empty where there is none.
    pub(crate) key: String,
}

/// Hundredths of a second since the machine was started: the kernel's own clock of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticks(pub(crate) u64);

impl Ticks {
    /// The length of one, and so the most that is missing of a difference between two.
    pub(crate) const SECONDS: f64 = 0.01;

    pub(crate) fn now() -> Self {
        let text = std::fs::read_to_string("/proc/uptime").expect("it is there");
        let digits = text.split_whitespace().next().map(|seconds| seconds.replace('.', ""));
        Self(digits.and_then(|digits| digits.parse().ok()).expect("seconds, and hundredths of one"))
    }

    /// The seconds from an earlier moment to this one.
    pub(crate) fn since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 * Self::SECONDS
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunEnd {
    Started,
    /// With its exit status. A run that is killed has no such line.
    Ended(i32),
    /// The process of another run, of this number, was there still: one that no other run of its kind may meet.
    Met(u32),
}

/// All runs of a site's sources.
#[derive(Debug, Clone, Default)]
pub(crate) struct Runs(pub(crate) Vec<RunEvent>);

impl Runs {
    #[track_caller]
    pub(crate) fn load(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        Self(text.lines().map(|line| parse(line).unwrap_or_else(|| panic!("no line of a run log: {line:?}"))).collect())
    }

    /// Counts the runs of an operation at a source that were started.
    pub(crate) fn count(&self, source: &str, operation: &str) -> usize {
        self.started().filter(|run| run.source == source && run.operation == operation).count()
    }

    /// The runs that were started, in their order.
    pub(crate) fn started(&self) -> impl Iterator<Item = &RunEvent> {
        self.0.iter().filter(|run| run.end == RunEnd::Started)
    }

    /// Fails if two runs of one source, lists apart, met each other, or two of one record of which one changes something.
    #[track_caller]
    pub(crate) fn assert_none_meet(&self) {
        let meeting = self.0.iter().find(|run| matches!(run.end, RunEnd::Met(_)));
        assert!(meeting.is_none(), "two runs at once: {meeting:?} in {self:#?}");
    }
}

fn parse(line: &str) -> Option<RunEvent> {
    let mut words = line.splitn(9, ' ');
    let mut word = || words.next().map(String::from);
    let (kind, status, pid) = (word()?, word()?, word()?.parse().ok()?);
    let end = match kind.as_str() {
        "start" => RunEnd::Started,
        "end" => RunEnd::Ended(status.parse().ok()?),
        "overlap" => RunEnd::Met(status.parse().ok()?),
        _ => return None,
    };
    let began = Ticks(word()?.parse().ok()?);
    let (source, operation, internal_key, operation_id) = (word()?, word()?, word()?, word()?);
    Some(RunEvent { end, pid, began, source, operation, internal_key, operation_id, key: word()? })
}
