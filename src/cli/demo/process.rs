//! The programs of the demo: those that run to their end, and those that run until it is over.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::error::DemoError;

/// How long a program may take to stop when it is asked to.
const PATIENCE: Duration = Duration::from_secs(45);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How many lines of a log are shown.
const LAST_LINES: usize = 15;

/// Runs a command to its end; it fails unless the command succeeds, and is interrupted if the command was.
pub(super) fn run(typed: &str, command: &mut Command) -> Result<Output, DemoError> {
    let failed = |status: String, stderr: String| DemoError::Command { command: typed.to_owned(), status, stderr };
    let output = command.stdin(Stdio::null()).output().map_err(|error| failed(error.to_string(), String::new()))?;
    if output.status.success() {
        return Ok(output);
    }
    if output.status.signal().is_some_and(ends_the_demo) {
        return Err(DemoError::Interrupted);
    }
    Err(failed(output.status.to_string(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// Says whether a command that died of this signal died with the demo: Ctrl-C goes to both, and it may be the quicker one.
fn ends_the_demo(signal: i32) -> bool {
    [Signal::INT, Signal::TERM, Signal::HUP].iter().any(|ending| ending.as_raw() == signal)
}

/// A program that runs beside the demo.
#[derive(Debug)]
pub(super) struct Background {
    name: &'static str,
    child: Child,
}

impl Background {
    /// Starts it, in a process group of its own: it is we who end it, not Ctrl-C. Its output goes to `log`.
    pub(super) fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Self, DemoError> {
        let mut start = || -> io::Result<Child> {
            let log = File::create(log)?;
            command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0).spawn()
        };
        let child = start().map_err(|error| DemoError::Ended { name, status: error.to_string() })?;
        Ok(Self { name, child })
    }

    /// Fails if it has ended.
    pub(super) fn check(&mut self) -> Result<(), DemoError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(DemoError::Ended { name: self.name, status: status.to_string() }),
            Err(error) => Err(DemoError::Ended { name: self.name, status: error.to_string() }),
        }
    }

    /// Asks it to stop, and waits; kills it only if it does not.
    pub(super) fn stop(mut self) -> Result<(), DemoError> {
        let asked = Instant::now();
        // That it has ended by itself, and cannot be asked, is found out below.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let failed = |source| DemoError::Clear { what: format!("the process of {}", self.name), source };
        while self.child.try_wait().map_err(failed)?.is_none() {
            if asked.elapsed() > PATIENCE {
                self.child.kill().and_then(|()| self.child.wait()).map_err(failed)?;
                return Err(failed(io::Error::new(io::ErrorKind::TimedOut, "it did not stop, and was killed")));
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

/// Stops the PostgreSQL of a state directory that its daemon has left behind: one that was killed cannot stop it.
pub(super) fn stop_orphan(state_dir: &Path) -> Result<(), DemoError> {
    let lock = state_dir.join("pg/data/postmaster.pid");
    let number = |text: String| Pid::from_raw(text.lines().next()?.parse().ok()?);
    let Some(pid) = fs::read_to_string(&lock).ok().and_then(number) else { return Ok(()) };
    let asked = Instant::now();
    while kill_process(pid, Signal::QUIT).is_ok() {
        if asked.elapsed() > PATIENCE {
            let source = io::Error::new(io::ErrorKind::TimedOut, "it does not stop");
            return Err(DemoError::Clear { what: format!("the PostgreSQL with the process number {pid:?}"), source });
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Gives the last lines of a log.
pub(super) fn last_lines(log: &Path) -> String {
    let text = fs::read(log).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}
