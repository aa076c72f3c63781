//! How a guardian's process is started, and how one waits for the guardian before it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use slog::{Logger, info};

use super::super::lock::{Acquired, acquire};
use super::super::process::mark::Family;
use super::super::process::setup;
use super::{GuardianError, NAME};
use crate::config::model;
use crate::config::words::Words as _;

/// The file that a guardian holds a lock of for its life.
const LOCK: &str = "guardian.lock";

/// How long the guardian of a daemon before us may take to end what it left running.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much the pipe to a guardian holds, if we may: tens of thousands of messages.
const PIPE_SIZE: usize = 1 << 20;

/// Of our environment, what the guardian's log depends on.
const INHERITED: [&str; 2] = ["JOURNAL_STREAM", "NO_COLOR"];

/// Where a guardian stands, and how it logs.
#[derive(Debug, Clone)]
pub struct Post {
    program: PathBuf,
    state_dir: PathBuf,
    log: model::Log,
    patience: Duration,
}

/// A guardian's process.
pub(super) struct Posted {
    pub(super) process: Child,
    /// Our end of the pipe; it never blocks.
    pub(super) pipe: OwnedFd,
}

impl Post {
    /// Names a guardian for what is run below `state_dir`; it is this program once more, and logs as `log` says.
    pub fn new(state_dir: &Path, log: &model::Log) -> Self {
        // Also where an upgrade has replaced the file since we were started.
        let program = PathBuf::from("/proc/self/exe");
        Self { program, state_dir: state_dir.to_owned(), log: log.clone(), patience: PATIENCE }
    }

    /// Has the guardian be another program than this one: `retcond`.
    #[must_use]
    pub fn by(self, program: &Path) -> Self {
        Self { program: program.to_owned(), ..self }
    }

    /// Waits no longer than this for the guardian of a daemon before us.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Waits until no other guardian stands there, and starts one.
    pub(super) fn man(&self, family: Family, log: &Logger) -> Result<Posted, GuardianError> {
        setup::once();
        let mut lock = self.lock(log)?;
        let failed = |source| GuardianError::Start { source };
        let (reader, pipe) = pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from).map_err(failed)?;
        rustix::io::ioctl_fionbio(&pipe, true).map_err(io::Error::from).map_err(failed)?;
        // Where we may not, it holds a few thousand.
        let _ = fcntl_setpipe_size(&pipe, PIPE_SIZE);
        let mut command = Command::new(&self.program);
        command.arg0(NAME).args(self.arguments(family)).current_dir("/").env_clear();
        command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        // The lock is the guardian's alone once our own descriptor of it is closed.
        let held = lock.try_clone().map_err(failed)?;
        let process = command.stdin(reader).stdout(Stdio::from(held)).spawn().map_err(failed)?;
        // For a person, and for the message of whoever waits in vain.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", process.id()));
        Ok(Posted { process, pipe })
    }

    fn arguments(&self, family: Family) -> [OsString; 4] {
        let model::Log { level, format } = &self.log;
        [self.state_dir.clone().into(), family.to_string().into(), level.word().into(), format.word().into()]
    }

    /// Takes the lock that every guardian of this place holds for its life.
    fn lock(&self, log: &Logger) -> Result<File, GuardianError> {
        let path = self.state_dir.join(LOCK);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        let mut file = options.open(&path).map_err(|source| GuardianError::Lock { path: path.clone(), source })?;
        let start = Instant::now();
        let mut told = false;
        let acquired = acquire(&file, |pause| {
            if !std::mem::replace(&mut told, true) {
                info!(log, "waiting for what an earlier daemon left running to end");
            }
            std::thread::sleep(pause);
            start.elapsed() > self.patience
        });
        match acquired {
            Ok(Acquired::Yes) => Ok(file),
            Ok(Acquired::GivenUp) => {
                let mut pid = String::new();
                let pid = file.read_to_string(&mut pid).ok().and_then(|_| pid.trim().parse().ok());
                Err(GuardianError::Taken { path, pid })
            }
            Err(source) => Err(GuardianError::Lock { path, source }),
        }
    }
}
