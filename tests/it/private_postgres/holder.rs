//! A process of its own that holds a state directory and its PostgreSQL, as a daemon does, so that it can be killed.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use retcon::store::private::PrivatePostgres;
use retcon::store::state_dir::StateDir;

/// Names the state directory to the process.
const HOLD: &str = "RETCON_TEST_HOLD";

/// The process: this test binary again, with nothing but [`hold`] to run.
pub(super) struct Holder {
    child: Child,
    /// The number of the postmaster, once it takes connections.
    postmaster: Option<i32>,
}

impl Holder {
    /// Starts one, and waits until its PostgreSQL takes connections.
    pub(super) fn start(state_dir: &Path) -> Self {
        let mut holder = Self::begin(state_dir);
        holder.postmaster();
        holder
    }

    /// Starts one, and waits for nothing.
    pub(super) fn begin(state_dir: &Path) -> Self {
        Self::run(&mut Command::new(std::env::current_exe().expect("this runs")), state_dir)
    }

    /// Starts one under a umask.
    pub(super) fn with_umask(umask: &str, state_dir: &Path) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", r#"umask "$1" && shift && exec "$@""#, "sh", umask]);
        Self::run(command.arg(std::env::current_exe().expect("this runs")), state_dir)
    }

    fn run(command: &mut Command, state_dir: &Path) -> Self {
        let child = command
            .args(["--exact", "private_postgres::holder::hold", "--nocapture"])
            .env(HOLD, state_dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this binary runs");
        Self { child, postmaster: None }
    }

    /// Waits until its PostgreSQL takes connections, and gives the number of the postmaster.
    pub(super) fn postmaster(&mut self) -> i32 {
        if let Some(pid) = self.postmaster {
            return pid;
        }
        let stdout = self.child.stdout.as_mut().expect("it is piped");
        let mut said = String::new();
        for line in BufReader::new(stdout).lines() {
            let line = line.expect("it is text");
            if let Some((_, pid)) = line.split_once("held by ") {
                return *self.postmaster.insert(pid.parse().expect("it is a number"));
            }
            said.push_str(&line);
            said.push('\n');
        }
        panic!("the holder ended without holding anything:\n{said}");
    }

    /// Kills it, as nothing can be prepared for.
    pub(super) fn kill(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("it is ours");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What the process does; nothing in an ordinary run of the tests.
#[test]
fn hold() {
    let Some(path) = std::env::var_os(HOLD) else {
        return;
    };
    let state_dir = StateDir::claim(Path::new(&path)).expect("it is free");
    let postgres = PrivatePostgres::start(&state_dir, None).expect("it starts");
    println!("held by {}", postgres.pid().expect("it runs"));
    std::io::stdin().read_to_end(&mut Vec::new()).expect("it can be read");
}
