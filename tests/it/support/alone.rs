//! Runs one test in a process of its own: for what belongs to a whole process, such as its descriptors and its stderr.

use std::process::Command;

use super::program::{Run, run};

/// Set in the process of its own.
const ALONE: &str = "RETCON_IT_ALONE";

/// Tells whether this is the process of its own.
pub(crate) fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

/// Runs the test named `name` (`module::function`) again, in a process of its own, which `shell` starts by `exec "$@"` after
/// whatever it does before; the test passes there.
#[track_caller]
pub(crate) fn run_alone(name: &str, shell: &str) -> Run {
    let this = std::env::current_exe().expect("this is a program");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("{shell}\nexec \"$@\""), "sh"]).arg(this);
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(ALONE, "1");
    let run = run(&mut command, b"").exits(0);
    assert!(run.stdout().contains("1 passed"), "{name} is no test: {run}");
    run
}
