//! A daemon that is measured.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A running daemon, stopped when it is dropped.
pub struct Daemon(Child);

impl Daemon {
    /// Starts the daemon whose `retcon.toml` is in `directory`, and waits until it is up.
    pub fn start(directory: &Path, mut is_up: impl FnMut() -> bool) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_retcond"));
        command.arg("--config").arg(directory.join("retcon.toml")).stdin(Stdio::null());
        let daemon = Self(command.spawn().expect("retcond starts"));
        while !is_up() {
            sleep(Duration::from_millis(10));
        }
        daemon
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        kill_process(self.pid(), Signal::TERM).expect("the daemon is ours");
        let status = self.0.wait().expect("the daemon is ours");
        assert!(status.success(), "the daemon stopped with {status}");
    }
}

/// Makes a directory for a daemon and its PostgreSQL, which runs as another user where this runs as root.
pub fn directory() -> TempDir {
    let open = Permissions::from_mode(0o755);
    tempfile::Builder::new().prefix("retcon-bench.").permissions(open).tempdir().expect("a directory")
}
