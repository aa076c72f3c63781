//! Runs the command that tells people of an event (`[alerts]`).

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::model::Alerts;

use super::contract::inherited;
use super::guardian::Guardian;
use super::log::visible;
use super::process::cancel::Cancel;
use super::process::{Exit, Limits, Spec, Stdout, run};

/// How long it may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long it may still take when it is told to end.
const GRACE: Duration = Duration::from_secs(2);
/// How long what it has left behind may hold its pipes.
const DRAIN: Duration = Duration::from_millis(250);
/// How much of what it complains of is kept, in bytes.
const STDERR: usize = 4 << 10;

/// What it prints is for nobody.
struct Ignored;

impl Stdout for Ignored {
    fn receive(&mut self, _: &[u8]) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Runs the command with `event`, one line of JSON, on its stdin. Blocks until it has ended.
///
/// # Errors
/// Why it was not told, in words for people: everything but exit 0.
pub fn tell(alerts: &Alerts, event: &str, cancel: &Cancel, guardian: Option<&Guardian>) -> Result<(), String> {
    let Some((program, args)) = alerts.command.split_first() else { return Ok(()) };
    let spec = Spec {
        program: PathBuf::from(program),
        args: args.iter().map(Into::into).collect(),
        kept: Arc::default(),
        env: inherited().collect(),
        directory: alerts.directory.clone(),
        stdin: Some(format!("{event}\n").into_bytes()),
    };
    let limits = Limits { deadline: DEADLINE, grace: GRACE, drain: DRAIN, stderr: STDERR };
    let ended = run(&spec, &limits, cancel, guardian, &mut Ignored);
    match ended.exit {
        Exit::Status(0) => Ok(()),
        exit => {
            let stderr = visible(&ended.stderr, ended.stderr_dropped);
            Err(if stderr.is_empty() { exit.to_string() } else { format!("{exit}: {stderr}") })
        }
    }
}
