//! The program that drives the browser, and what is done so that neither outlives its test.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::error::NewSessionError;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::json;
use tempfile::TempDir;

use super::super::daemon::processes;

/// Ends what is left of a group when the test process is gone: its end is the end of what is read.
const GUARDIAN: &str = "read -r _; kill -KILL -- \"-$1\" 2>/dev/null; rm -rf \"$2\"";

/// How long the browser may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// What Chromium is started with, besides its profile.
const FLAGS: [&str; 12] = [
    "--headless=new",
    // As root there is no sandbox; the pages are our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--force-color-profile=srgb",
    "--lang=en",
];

/// A driver, with the profile of its browser.
pub(super) struct Driver {
    child: Child,
    guardian: Child,
    profile: TempDir,
    address: String,
}

impl Driver {
    #[track_caller]
    pub(super) fn start() -> Self {
        let profile = tempfile::Builder::new().prefix("retcon-browser.").tempdir().expect("a temporary directory");
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("TMPDIR", profile.path()).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("no chromedriver ({error}): packaging/setup.sh installs it"));
        let guardian = guard(child.id(), profile.path());
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = port.expect("chromedriver says at which port it listens");
        Self { child, guardian, profile, address: format!("http://127.0.0.1:{port}") }
    }

    /// Starts the browser.
    pub(super) async fn connect(&self) -> Result<Client, NewSessionError> {
        let profile = format!("--user-data-dir={}", self.profile.path().join("profile").display());
        let flags: Vec<&str> = FLAGS.into_iter().chain([profile.as_str()]).collect();
        let wanted = json!({
            "goog:chromeOptions": {"args": flags, "binary": "/usr/bin/chromium"},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let wanted = wanted.as_object().expect("it is an object").clone();
        ClientBuilder::new(HttpConnector::new()).capabilities(wanted).connect(&self.address).await
    }

    /// Ends the driver and, if it has not ended, the browser.
    pub(super) fn end(&mut self, is_closed: bool) {
        let since = Instant::now();
        while is_closed && !processes(&self.profile.path().join("profile")).is_empty() && since.elapsed() < PATIENCE {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        kill_process_group(Pid::from_child(&self.child), Signal::KILL).ok();
        self.child.wait().ok();
        for process in processes(self.profile.path()) {
            kill_process(process.pid, Signal::KILL).ok();
        }
        // Without what it reads from it ends by itself, and finds nothing to be done.
        drop(self.guardian.stdin.take());
        self.guardian.wait().ok();
    }
}

fn guard(group: u32, directory: &Path) -> Child {
    Command::new("sh")
        .args(["-c", GUARDIAN, "guardian", &group.to_string()])
        .arg(directory)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("sh starts")
}
