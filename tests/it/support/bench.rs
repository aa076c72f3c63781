//! A data source of a line or two, run as the daemon runs it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use retcon::config::model::{Command, Commands, ReadBack, Source};
use retcon::domain::rules::Fields;
use retcon::source::contract::{Program, Turn};
use retcon::source::process::cancel::Cancel;
use retcon::source::process::{Ended, Limits, Spec, Stdout, run};
use rustix::process::Pid;
use tempfile::TempDir;

use super::program;
use super::system::testing;
use super::wait::{DEADLINE, until};

/// The compiled `tests/it/sources/hostile.c`.
pub(crate) static HOSTILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile");
    let fresh = place.with_extension(std::process::id().to_string());
    let mut compiler = program::program("cc");
    compiler.args(["-O1", "-Wall", "-Werror", "-o"]).arg(&fresh).arg(testing("sources/hostile.c"));
    program::run(&mut compiler, b"").exits(0);
    std::fs::rename(&fresh, &place).expect("the compiled program is there");
    place
});

/// A source whose programs are the test's own, with a place for its lock.
pub(crate) struct Bench {
    dir: TempDir,
    source: Source,
}

impl Bench {
    /// A source of which every operation runs `shell`, with the key as `$1`.
    pub(crate) fn shell(shell: &str) -> Self {
        Self::command("/bin/sh", &["-c", shell, "sh"])
    }

    /// A source of which every operation runs this program.
    pub(crate) fn command(program: impl AsRef<Path>, args: &[&str]) -> Self {
        let command =
            Command { program: program.as_ref().to_owned(), args: args.iter().map(|arg| arg.to_string()).collect() };
        let dir = tempfile::tempdir().expect("a temporary directory");
        let source = Source {
            name: "crm".parse().expect("it is a name"),
            description: String::new(),
            commands: Commands {
                create: Some(command.clone()),
                read: command.clone(),
                update: Some(command.clone()),
                delete: Some(command.clone()),
                list: Some(command.clone()),
                find: Some(command),
            },
            timeout: DEADLINE,
            list_timeout: DEADLINE,
            fields: Fields::default(),
            read_back: ReadBack::Auto,
            recheck: Duration::ZERO,
            create_is_idempotent: false,
            renamed_from: None,
            env: BTreeMap::new(),
            directory: dir.path().to_owned(),
        };
        Self { dir, source }
    }

    /// Changes the source's configuration.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Source)) -> Self {
        change(&mut self.source);
        self
    }

    /// The directory in which the programs run.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn program(&self) -> Arc<Program> {
        let entity = "customer".parse().expect("it is a name");
        Arc::new(Program::new(entity, Arc::new(self.source.clone()), &self.state_dir()))
    }

    #[track_caller]
    pub(crate) fn turn(&self) -> Turn {
        self.program().turn(&Cancel::never()).expect("the lock is free")
    }
}

/// One process of `hostile.c`, and what it is started with.
pub(crate) struct Hostile {
    dir: TempDir,
    pub(crate) spec: Spec,
    pub(crate) limits: Limits,
    pub(crate) cancel: Cancel,
}

/// What came of a [`Hostile`].
pub(crate) struct Outcome {
    pub(crate) ended: Ended,
    pub(crate) stdout: Vec<u8>,
}

impl Hostile {
    pub(crate) fn new(mode: &str, argument: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        // What tells the processes of this test from those of others.
        let mark = dir.path().file_name().expect("it has a name").to_owned();
        let spec = Spec {
            program: HOSTILE.clone(),
            args: vec![mode.into(), argument.into()],
            kept: Arc::default(),
            env: [("RETCON_ENTITY", mark), ("PIDS", OsString::from(dir.path().join("pids")))].into_iter().collect(),
            directory: dir.path().to_owned(),
            stdin: None,
        };
        let drain = Duration::from_millis(250);
        let limits = Limits { deadline: DEADLINE, grace: DEADLINE, drain, stderr: 64 << 10 };
        Self { dir, spec, limits, cancel: Cancel::never() }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Runs it to its end, and sees to it that no process of it is left.
    #[track_caller]
    pub(crate) fn run(&self) -> Outcome {
        let mut stdout = Collect::new();
        let ended = run(&self.spec, &self.limits, &self.cancel, None, &mut stdout);
        self.expect_nothing_left();
        Outcome { ended, stdout: stdout.bytes }
    }

    /// Returns the processes it was made of, as they recorded themselves.
    pub(crate) fn pids(&self) -> Vec<Pid> {
        let text = std::fs::read_to_string(self.dir.path().join("pids")).unwrap_or_default();
        text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect()
    }

    /// Waits until each of its processes is gone; one that was killed may need a moment.
    #[track_caller]
    pub(crate) fn expect_nothing_left(&self) {
        let left = || self.pids().into_iter().filter(|pid| is_left(*pid)).collect::<Vec<_>>();
        until(|| left().is_empty().then_some(()), || format!("{:?} left {:?}", self.spec.args, left()));
    }
}

/// Tells whether there is such a process, or a zombie that is ours to reap; those of others go when their parents please.
fn is_left(pid: Pid) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())) else { return false };
    let (_, fields) = stat.rsplit_once(')').expect("the name is in parentheses");
    let fields: Vec<_> = fields.split_whitespace().collect();
    fields[0] != "Z" || fields[1] == std::process::id().to_string()
}

/// Takes up to four megabytes of output.
pub(crate) struct Collect {
    bytes: Vec<u8>,
    limit: usize,
}

impl Collect {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), limit: 4 << 20 }
    }
}

impl Stdout for Collect {
    fn receive(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > self.limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
