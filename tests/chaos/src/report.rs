//! What a run was, and what the checker found, for people; its last line is the verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::books::{BookError, Facts, FaultLine, FaultPhase, RunDir, RunEvent, RunLine};
use crate::check::Findings;
use crate::clock::Micros;

/// How many findings are told in full.
const TOLD: usize = 12;
/// The invariants, with their names.
const INVARIANTS: [(&str, &str); 16] = [
    ("I1", "no lost notification"),
    ("I2", "no lost update"),
    ("I3", "no duplicate create"),
    ("I4", "no resurrection"),
    ("I5", "no delete without evidence"),
    ("I6", "serialization"),
    ("I7", "convergence"),
    ("I8", "quiet at rest"),
    ("I9", "bounded"),
    ("I10", "fair and throttled"),
    ("I11", "one authority"),
    ("I12", "honest acknowledgement"),
    ("I13", "no unrecorded effect"),
    ("I14", "lossless"),
    ("I15", "one resolution"),
    ("I16", "whole configurations"),
];

/// What a run showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Valid,
    Invalid,
    /// Nothing is wrong, and too little was tried.
    Void,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Void => "void",
        }
    }
}

/// How often a class of fault was ordered and took effect, and how long each recovery took.
#[derive(Debug, Clone, Default)]
struct Tally {
    ordered: usize,
    fired: usize,
    recoveries: Vec<Micros>,
}

/// A report in the making.
#[derive(Debug)]
pub struct Report {
    text: String,
    verdict: Verdict,
}

impl Report {
    /// Draws up the report of a run that was checked.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn of(run: &RunDir, findings: &Findings, disorders: &[String], edits: u64) -> Result<Self, BookError> {
        let facts = run.facts()?;
        let runs = all_runs(run, &facts)?;
        let tallies = tally(&facts, &run.faults()?, &runs);
        let mut void = findings.void.clone();
        void.extend(missed(&facts, &tallies).map(|class| format!("{class} never fired")));
        let is_wrong = !findings.findings.is_empty() || facts.unrest.is_some() || !disorders.is_empty();
        let verdict = match (is_wrong, void.is_empty()) {
            (true, _) => Verdict::Invalid,
            (false, false) => Verdict::Void,
            (false, true) => Verdict::Valid,
        };
        let mut report = Self { text: String::new(), verdict };
        report.head(&facts, edits, &runs);
        report.faults(&tallies);
        report.notifications(run, findings)?;
        report.decisions(run)?;
        report.invariants(findings);
        report.trouble(&facts, findings, disorders, &void);
        Ok(report)
    }

    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Gives all of it but the line of the verdict.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    fn head(&mut self, facts: &Facts, edits: u64, runs: &[RunLine]) {
        let plant = facts.plant.as_ref().map(|name| format!(", planted: {name}")).unwrap_or_default();
        self.line(&format!("seed {}, {} seconds, {} daemons{plant}", facts.seed, facts.seconds, facts.daemons));
        let sources: Vec<usize> = facts.entities.iter().map(|entity| entity.sources.len()).collect();
        self.line(&format!(
            "{} entities, {} sources, {edits} edits of users",
            sources.len(),
            sources.iter().sum::<usize>()
        ));
        let mut operations: BTreeMap<&str, usize> = BTreeMap::new();
        for line in runs {
            if let RunEvent::Start { operation, .. } = &line.event {
                *operations.entry(operation).or_default() += 1;
            }
        }
        let words: Vec<String> = operations.iter().map(|(operation, n)| format!("{n} {operation}")).collect();
        self.line(&format!("{} invocations: {}", operations.values().sum::<usize>(), words.join(", ")));
    }

    fn faults(&mut self, tallies: &BTreeMap<String, Tally>) {
        self.line("");
        self.line(&format!("{:24} {:>7} {:>6}   {:>8} {:>8}", "fault", "ordered", "fired", "p50", "max"));
        for (class, tally) in tallies.iter().filter(|(class, _)| *class != "start") {
            let mut recoveries = tally.recoveries.clone();
            recoveries.sort_unstable();
            let (half, most) = (recoveries.get(recoveries.len() / 2).copied(), recoveries.last().copied());
            let (half, most) = (seconds(half), seconds(most));
            self.line(&format!("{class:24} {:>7} {:>6}   {half:>8} {most:>8}", tally.ordered, tally.fired));
        }
        let fired: usize = tallies.values().map(|tally| tally.fired).sum();
        self.line(&format!("{:24} {:>7} {fired:>6}   (recovery: until work is served again)", "all", ""));
    }

    fn notifications(&mut self, run: &RunDir, findings: &Findings) -> Result<(), BookError> {
        let clients = run.clients()?;
        let acknowledged: usize =
            clients.iter().filter(|line| line.status == Some(202)).map(|line| line.items.len()).sum();
        let refused = clients.iter().filter(|line| line.status.is_some_and(|status| status != 202)).count();
        let cut_off = clients.iter().filter(|line| line.status.is_none()).count();
        let count = |names: &[&str]| findings.findings.iter().filter(|found| names.contains(&found.invariant)).count();
        let lost = count(&["I1", "I12"]);
        self.line("");
        self.line(&format!("notifications: {acknowledged} acknowledged, {} accounted for; {refused} refused, {cut_off} without an answer", acknowledged.saturating_sub(lost)));
        self.line(&format!(
            "lost {}, duplicated {}, resurrected {}",
            lost + count(&["I2"]),
            count(&["I3"]),
            count(&["I4"])
        ));
        Ok(())
    }

    fn decisions(&mut self, run: &RunDir) -> Result<(), BookError> {
        let decisions = run.decisions()?;
        let done = |kind: &str| {
            decisions.iter().filter(|decision| decision.order.kind == kind && decision.is_accepted()).count()
        };
        let keyed = decisions.iter().filter(|decision| {
            decision.order.kind == "settle" && decision.is_accepted() && decision.order.asked.get("key").is_some()
        });
        let (settled, keyed) = (done("settle"), keyed.count());
        self.line(&format!(
            "doubts: {} ended by themselves; {settled} settled by people ({keyed} had taken effect, {} had not)",
            run.found_out()?,
            settled - keyed
        ));
        let unanswered = decisions.iter().filter(|decision| decision.answer.is_none()).count();
        self.line(&format!(
            "conflicts resolved by people: {}; parked work retried: {}; of {} orders, {unanswered} without an answer",
            done("resolve"),
            done("retry"),
            decisions.len()
        ));
        Ok(())
    }

    fn invariants(&mut self, findings: &Findings) {
        self.line("");
        for (name, words) in INVARIANTS {
            let broken = findings.findings.iter().filter(|found| found.invariant == name).count();
            let decided = findings.decided.get(name).map_or("not decided", String::as_str);
            let state = if broken > 0 { format!("BROKEN {broken} times") } else { "holds".to_owned() };
            self.line(&format!("{name:4} {words:28} {state:16} {decided}"));
        }
    }

    fn trouble(&mut self, facts: &Facts, findings: &Findings, disorders: &[String], void: &[String]) {
        self.line("");
        if let Some(unrest) = &facts.unrest {
            self.line(&format!("does not converge: {unrest}"));
        }
        disorders.iter().for_each(|disorder| self.line(&format!("disorder: {disorder}")));
        let mut told: BTreeSet<&str> = BTreeSet::new();
        // One of each kind first.
        let (first, others): (Vec<_>, Vec<_>) =
            findings.findings.iter().partition(|found| told.insert(found.invariant));
        for found in first.iter().chain(&others).take(TOLD) {
            self.line(&format!("{}: {}", found.invariant, found.text));
            found.evidence.iter().for_each(|line| self.line(&format!("    {line}")));
        }
        if findings.findings.len() > TOLD {
            self.line(&format!("... and {} more", findings.findings.len() - TOLD));
        }
        void.iter().for_each(|why| self.line(&format!("void: {why}")));
    }
}

fn seconds(time: Option<Micros>) -> String {
    time.map(|time| format!("{}.{:02} s", time / 1_000_000, time / 10_000 % 100)).unwrap_or_default()
}

fn all_runs(run: &RunDir, facts: &Facts) -> Result<Vec<RunLine>, BookError> {
    let mut runs = Vec::new();
    for entity in &facts.entities {
        for source in &entity.sources {
            runs.extend(run.runs(&entity.name, &source.name)?);
        }
    }
    Ok(runs)
}

/// Names the classes of fault on a run's list that have not fired yet.
///
/// # Errors
/// [`BookError`].
pub fn list_missed(run: &RunDir, facts: &Facts) -> Result<Vec<String>, BookError> {
    let tallies = tally(facts, &run.faults()?, &all_runs(run, facts)?);
    Ok(missed(facts, &tallies).cloned().collect())
}

fn missed<'a>(facts: &'a Facts, tallies: &'a BTreeMap<String, Tally>) -> impl Iterator<Item = &'a String> {
    facts.classes.iter().filter(|class| tallies.get(*class).is_none_or(|tally| tally.fired == 0))
}

/// Counts faults by class.
fn tally(facts: &Facts, faults: &[FaultLine], runs: &[RunLine]) -> BTreeMap<String, Tally> {
    let mut tallies: BTreeMap<String, Tally> =
        facts.classes.iter().map(|class| (class.clone(), Tally::default())).collect();
    let mut fired_at: BTreeMap<&str, Micros> = BTreeMap::new();
    for line in faults {
        let tally = tallies.entry(line.class.clone()).or_default();
        match line.phase {
            FaultPhase::Begin => tally.ordered += 1,
            FaultPhase::Fired => {
                tally.fired += 1;
                fired_at.insert(&line.class, line.at);
            }
            FaultPhase::End => tally.recoveries.extend(fired_at.remove(line.class.as_str()).map(|at| line.at - at)),
        }
    }
    for line in runs {
        if let RunEvent::Fault { class } = &line.event {
            tallies.entry(class.clone()).or_default().fired += 1;
        }
    }
    tallies
}

#[cfg(test)]
mod tests;
