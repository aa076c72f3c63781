//! The process that was started, the leader of its group, until it is reaped.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, pidfd_open, waitid, waitpgid,
};

use super::super::guardian::{Guardian, Watched};
use super::mark::Mark;
use super::{Exit, Spec};

/// A process that leads a group of its own.
///
/// Until it is reaped its number, and so the group's, is taken: a signal to the group cannot reach a stranger. Dropped
/// before that, it kills its group and is reaped.
pub(super) struct Leader {
    child: Child,
    pid: Pid,
    /// `None` where no descriptor was left: then [`Leader::has_exited`] must be asked.
    pidfd: Option<OwnedFd>,
    /// For as long as the group's number is surely ours.
    watched: Option<Watched>,
    reaped: bool,
}

/// Our ends of a process's pipes; none of them blocks.
pub(super) struct Pipes {
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
}

impl Leader {
    /// Starts the process.
    ///
    /// Nothing here may turn the spawn into a fork of our whole memory: an absolute program, a group, a directory and an
    /// environment are fine; a hook, a user or a search along `PATH` are not.
    pub(super) fn spawn(spec: &Spec, mark: &Mark, guardian: Option<&Guardian>) -> io::Result<(Self, Pipes)> {
        let stdin = match &spec.stdin {
            Some(bytes) => Stdio::from(file(bytes)?),
            None => Stdio::null(),
        };
        let (stdout, from_stdout) = pipe()?;
        let (stderr, from_stderr) = pipe()?;
        let mut command = Command::new(find(spec)?);
        command.args(&spec.args).current_dir(&spec.directory).process_group(0);
        command.env_clear().envs(spec.env.iter().map(|(name, value)| (name, value))).envs([mark.variable()]);
        let child = command.stdin(stdin).stdout(stdout).stderr(stderr).spawn()?;
        // From here on it runs: nothing may fail any more. (The command goes, and with it our copies of its ends.)
        let pid = Pid::from_child(&child);
        let watched = guardian.map(|guardian| guardian.watch(pid));
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok();
        let pipes = Pipes { stdout: Some(from_stdout), stderr: Some(from_stderr) };
        Ok((Self { child, pid, pidfd, watched, reaped: false }, pipes))
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Returns a descriptor that is readable once the process has exited.
    pub(super) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// Tells whether the process has exited; it is not reaped by this.
    pub(super) fn has_exited(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.pid), options), Ok(None))
    }

    /// Sends a signal to the whole group.
    pub(super) fn signal(&self, signal: Signal) {
        // Fails where all of the group is gone, or belongs to another user: nothing more can be done then.
        let _ = kill_process_group(self.pid, signal);
    }

    /// Kills what is left of the group, and takes the exit of the process.
    pub(super) fn reap(mut self) -> Exit {
        self.end()
    }

    fn end(&mut self) -> Exit {
        self.signal(Signal::KILL);
        // Before its number can be another's; what may be left of it bears the mark.
        self.watched = None;
        self.reaped = true;
        let status = self.child.wait();
        // As process 1 of a container we inherit orphans: those of the group are dead, and nobody else's to reap.
        while let Ok(Some(_)) = waitpgid(self.pid, WaitOptions::NOHANG) {}
        match status.map(|status| (status.code(), status.signal())) {
            Ok((Some(code), _)) => Exit::Status(code),
            Ok((None, Some(signal))) => Exit::Signal(signal),
            Ok((None, None)) | Err(_) => Exit::Lost,
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if !self.reaped {
            self.end();
        }
    }
}

/// Makes a pipe: the end of the process, and ours, which never blocks.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((theirs, ours))
}

/// Makes a file without a name that holds `bytes`, to be read from its beginning.
///
/// Not a pipe: fed by a daemon that is killed meanwhile, a program would take half a document for a whole one.
fn file(bytes: &[u8]) -> io::Result<File> {
    let memory = |flags| memfd_create(c"stdin", flags | MemfdFlags::CLOEXEC);
    // A kernel that does not know the flag does not insist on it either.
    let memory = memory(MemfdFlags::NOEXEC_SEAL).or_else(|_| memory(MemfdFlags::empty()))?;
    let mut file = File::from(memory);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// Finds the program: along the `PATH` that it will be given if it is a bare name.
fn find(spec: &Spec) -> io::Result<PathBuf> {
    let bare = spec.program.parent() == Some(Path::new(""));
    if !bare {
        return Ok(spec.directory.join(&spec.program));
    }
    let path = spec.env.iter().find(|(name, _)| name == "PATH").map_or(OsStr::new(""), |(_, value)| value);
    let candidates = std::env::split_paths(path).map(|directory| spec.directory.join(directory).join(&spec.program));
    let is_program = |path: &PathBuf| rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() && path.is_file();
    candidates.into_iter().find(is_program).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
}
