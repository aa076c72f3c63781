//! Runs a program to its end, in the environment that a data source has.

use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// How a program ended, and what it wrote.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) command: String,
    /// `None`: a signal.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Run {
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Expects an exit status, and comes back for more.
    #[track_caller]
    pub(crate) fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{self}");
        self
    }

    /// Expects a word on stderr.
    #[track_caller]
    pub(crate) fn complains_of(self, word: &str) -> Self {
        assert!(self.stderr().contains(word), "expected {word:?} on stderr: {self}");
        self
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, status, .. } = self;
        write!(f, "\n$ {command}\nstatus: {status:?}\nstdout: {}\nstderr: {}\n", self.stdout(), self.stderr())
    }
}

/// A program to be run, with nothing but `PATH` and `HOME` in its environment.
pub(crate) fn program(path: impl AsRef<Path>) -> Command {
    let mut command = Command::new(path.as_ref());
    command.env_clear().env("PATH", &*SEARCH_PATH).envs(std::env::var_os("HOME").map(|home| ("HOME", home)));
    command
}

/// `PATH`, with the directory of Python itself in front: a launcher that picks one of several Pythons costs more than
/// all the rest of a short program.
static SEARCH_PATH: LazyLock<OsString> = LazyLock::new(|| {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let say = "import os, sys; print(os.path.dirname(sys.executable), end='')";
    let python =
        Command::new("python3").args(["-c", say]).output().expect("python3 is needed: apt-get install python3");
    let python = PathBuf::from(OsString::from_vec(python.stdout));
    std::env::join_paths(std::iter::once(python).chain(std::env::split_paths(&path)))
        .expect("a search path, made longer")
});

/// Runs a command to its end with `stdin`, which the program need not read.
#[track_caller]
pub(crate) fn run(command: &mut Command, stdin: &[u8]) -> Run {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let mut pipe = child.stdin.take().expect("stdin is piped");
    let stdin = stdin.to_vec();
    let writer = std::thread::spawn(move || drop(pipe.write_all(&stdin)));
    let output = child.wait_with_output().unwrap_or_else(|error| panic!("cannot wait for {command:?}: {error}"));
    writer.join().expect("the writer never panics");
    Run { command: format!("{command:?}"), status: output.status.code(), stdout: output.stdout, stderr: output.stderr }
}
