//! What a bench found out: printed as it comes, and kept in `benches/RESULTS.md`, each bench in a section of its own.

#![allow(dead_code, reason = "each bench uses its part")]

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::available_parallelism;

use jiff::Timestamp;

/// What a figure must not miss.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    None,
    AtLeast(f64),
    AtMost(f64),
}

/// The results of one bench.
pub struct Report {
    name: &'static str,
    about: String,
    /// Before anything was measured.
    load: String,
    rows: String,
    raw: String,
    notes: String,
}

impl Report {
    /// Begins the section `name`; `about` says what is measured, beside what.
    pub fn new(name: &'static str, about: &str) -> Self {
        println!("{name}: {about}");
        println!("{:<44}{:>14}{:>14}{:>8}   bound", "", "retcon", "floor", "ratio");
        let [rows, raw, notes] = [(); 3].map(|()| String::new());
        Self { name, about: about.to_owned(), load: load(), rows, raw, notes }
    }

    /// Enters pairs of a figure of ours and its floor, measured in turns; what counts is the ratio of their medians.
    pub fn compare(&mut self, what: &str, unit: &str, rounds: &[(f64, f64)], bound: Bound) {
        let (ours, floor): (Vec<f64>, Vec<f64>) = rounds.iter().copied().unzip();
        let ratio = median(ours) / median(floor);
        self.enter(what, unit, rounds, ratio, bound);
    }

    /// Enters pairs likewise, each measured within moments; what counts is the median of their ratios, which a machine that grows slower
    /// for a while moves less.
    pub fn pairs(&mut self, what: &str, unit: &str, rounds: &[(f64, f64)], bound: Bound) {
        let ratio = median(rounds.iter().map(|(ours, floor)| ours / floor).collect());
        self.enter(what, unit, rounds, ratio, bound);
    }

    fn enter(&mut self, what: &str, unit: &str, rounds: &[(f64, f64)], ratio: f64, bound: Bound) {
        let (ours, floor): (Vec<f64>, Vec<f64>) = rounds.iter().copied().unzip();
        let (ours, floor) = (median(ours), median(floor));
        self.row(what, &figure(ours, unit), &figure(floor, unit), &format!("{ratio:.2}"), ratio, bound);
        let pair = |(ours, floor): &(f64, f64)| format!("{} : {}", figure(*ours, ""), figure(*floor, ""));
        let pairs: Vec<String> = rounds.iter().map(pair).collect();
        let _ = writeln!(self.raw, "- {what}: {}", pairs.join(", "));
    }

    /// Enters pairs likewise; the bound is one of our figure, whatever the floor.
    pub fn within(&mut self, what: &str, unit: &str, rounds: &[(f64, f64)], bound: Bound) {
        let (ours, floor): (Vec<f64>, Vec<f64>) = rounds.iter().copied().unzip();
        let (ours, floor) = (median(ours), median(floor));
        let ratio = format!("{:.2}", ours / floor);
        self.row(what, &figure(ours, unit), &figure(floor, unit), &ratio, ours, bound);
    }

    /// Enters a figure that has no floor; the bound is its own.
    pub fn measure(&mut self, what: &str, unit: &str, value: f64, bound: Bound) {
        self.row(what, &figure(value, unit), "", "", value, bound);
    }

    fn row(&mut self, what: &str, ours: &str, floor: &str, ratio: &str, bounded: f64, bound: Bound) {
        let (bound, verdict) = match bound {
            Bound::None => (String::new(), ""),
            Bound::AtLeast(least) => (format!("at least {least:.2}"), verdict(bounded >= least)),
            Bound::AtMost(most) => (format!("at most {most:.2}"), verdict(bounded <= most)),
        };
        println!("{what:<44}{ours:>14}{floor:>14}{ratio:>8}   {bound} {verdict}");
        let _ = writeln!(self.rows, "| {what} | {ours} | {floor} | {ratio} | {bound} | {verdict} |");
    }

    /// Enters a paragraph, in Markdown.
    pub fn note(&mut self, text: &str) {
        println!("{text}");
        let _ = write!(self.notes, "\n{text}\n");
    }

    /// Puts the section into the file, in the place of its former one.
    pub fn write(self) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/RESULTS.md");
        let (begin, end) = (format!("<!-- {} -->\n", self.name), format!("<!-- end of {} -->\n", self.name));
        let former = fs::read_to_string(&path).unwrap_or_else(|_| HEAD.to_owned());
        let section = format!("{begin}{}{end}", self.section());
        let text = match (former.split_once(&begin), former.split_once(&end)) {
            (Some((before, _)), Some((_, after))) => format!("{before}{section}{after}"),
            _ => format!("{former}\n{section}"),
        };
        fs::write(path, text).expect("the results can be written");
    }

    fn section(&self) -> String {
        let Self { name, about, load: before, rows, raw, notes } = self;
        let (day, machine, after) = (Timestamp::now().strftime("%Y-%m-%d %H:%M UTC"), machine(), load());
        let head = "| | retcon | floor | ratio | bound | |\n|---|---:|---:|---:|---|---|\n";
        let raw = if raw.is_empty() { String::new() } else { format!("\nEach round, ours : floor\n\n{raw}") };
        format!(
            "## {name}\n\n{about}\n\n{day}; {machine}; load {before} before, {after} after.\n\n{head}{rows}{raw}{notes}"
        )
    }
}

const HEAD: &str = "# What things cost\n\nWritten by `make bench`: each figure beside its floor, measured in turns in one run. \
    Where rates are compared, a ratio of 1 is the floor itself and less is slower; where times are, more is slower.\n";

/// Gives the middle one; the greater of two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}

/// Writes a number as precisely as it tells something.
fn figure(value: f64, unit: &str) -> String {
    let decimals = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{value:.decimals$}{}{unit}", if unit.is_empty() || unit.starts_with('/') { "" } else { " " })
}

/// Says on what it is measured.
fn machine() -> String {
    let cores = available_parallelism().map_or(0, usize::from);
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line =
            text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':').map(|(_, value)| value.trim()));
        line.unwrap_or("unknown").to_owned()
    };
    let model = field(&text("/proc/cpuinfo"), "model name");
    let memory = field(&text("/proc/meminfo"), "MemTotal");
    let kernel = text("/proc/sys/kernel/osrelease");
    let postgres = Command::new("sh").args(["-c", "ls /usr/lib/postgresql | sort -n | tail -1"]).output();
    let postgres = postgres.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    format!("{cores} cores ({model}), {memory} of memory, Linux {}, PostgreSQL {postgres}, fsync on", kernel.trim())
}

/// Gives the load of the machine in the last one, five and fifteen minutes.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
