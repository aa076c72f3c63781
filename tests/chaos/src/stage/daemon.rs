//! A daemon: started, killed, frozen and asked.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::books::RunDir;
use crate::client;

/// How long a question may take.
const QUESTION: Duration = Duration::from_secs(10);

/// One of a run's daemons.
#[derive(Debug)]
pub struct Daemon {
    run: RunDir,
    /// From 1.
    number: u32,
    program: PathBuf,
    child: Option<Child>,
    is_frozen: bool,
    /// The bug that is planted into it.
    plant: Option<String>,
}

impl Daemon {
    /// Names a daemon; starts nothing.
    pub fn new(run: &RunDir, number: u32, program: PathBuf, plant: Option<String>) -> Self {
        Self { run: run.clone(), number, program, child: None, is_frozen: false, plant }
    }

    pub fn number(&self) -> u32 {
        self.number
    }

    /// Gives its configuration's file.
    pub fn config_path(&self) -> PathBuf {
        config_path(&self.run, self.number)
    }

    /// Starts it, to be killed where `kill_at` says.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&mut self, kill_at: Option<&str>) -> io::Result<()> {
        let path = self.run.path().join(format!("d{}.log", self.number));
        let log = File::options().append(true).create(true).open(path)?;
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.config_path()).current_dir("/");
        command.env_remove("RETCON_CONFIG").env_remove("RETCON_KILL_AT").env_remove("RETCON_PLANT");
        if let Some(point) = kill_at {
            command.env("RETCON_KILL_AT", point);
        }
        if let Some(name) = &self.plant {
            command.env("RETCON_PLANT", name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn()?);
        self.is_frozen = false;
        Ok(())
    }

    /// Tells whether its process is there.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Tells whether it is there and can act.
    pub fn is_able(&mut self) -> bool {
        !self.is_frozen && self.is_running()
    }

    /// Gives its process, if it is there.
    pub fn pid(&mut self) -> Option<u32> {
        self.is_running().then(|| self.child.as_ref().map(Child::id)).flatten()
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) {
        // A process that was waited for has no number any more.
        if self.is_running()
            && let Some(child) = self.child.as_ref()
            && kill_process(Pid::from_child(child), signal).is_ok()
        {
            match signal {
                Signal::STOP => self.is_frozen = true,
                Signal::CONT => self.is_frozen = false,
                _ => {}
            }
        }
    }

    /// Kills it and nothing that it started.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.wait(Duration::from_secs(30));
    }

    /// Waits for its end; gives its exit status, `None` if a signal ended it or it did not end.
    pub fn wait(&mut self, patience: Duration) -> Option<i32> {
        let deadline = Instant::now() + patience;
        while let Some(child) = &mut self.child
            && Instant::now() < deadline
        {
            if let Ok(Some(status)) = child.try_wait() {
                self.child = None;
                return status.code();
            }
            thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// Waits until it is ready.
    pub fn wait_until_ready(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline && self.is_running() {
            if self.get("/readyz").is_some() {
                return true;
            }
            thread::sleep(Duration::from_millis(50));
        }
        false
    }

    /// Asks it something; `None` without a good answer.
    pub fn get(&self, path: &str) -> Option<Value> {
        get(&self.run, self.number, path)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.is_running() {
            self.signal(Signal::KILL);
            self.signal(Signal::CONT);
            let _ = self.wait(Duration::from_secs(10));
        }
    }
}

/// Gives the file of a daemon's configuration.
pub fn config_path(run: &RunDir, number: u32) -> PathBuf {
    run.path().join(format!("d{number}.toml"))
}

/// Asks a daemon something; `None` without a good answer.
pub fn get(run: &RunDir, number: u32, path: &str) -> Option<Value> {
    let answer = client::call(&client::socket(run, number), "GET", path, None, QUESTION).ok()?;
    (answer.status == 200).then_some(answer.body)
}

/// A process that belongs to a run: it names the run's directory in its command line, or works in it.
pub fn list_processes(run: &RunDir) -> Vec<(u32, String)> {
    let own = std::process::id();
    let name = run.path().to_string_lossy().into_owned();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let commands = pids.filter(|pid| *pid != own).filter_map(|pid| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some((pid, String::from_utf8_lossy(&command).replace('\0', " ")))
    });
    commands.filter(|(_, command)| command.contains(&name)).collect()
}
