//! The process that was started, the leader of its group, until it is reaped.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::retry_on_intr;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, waitid, waitpgid, waitpid};

use super::super::guardian::{Expected, Guardian, Watched};
use super::kept::NOTHING;
use super::mark::Mark;
use super::spawn::{Image, Started};
use super::{Exit, Spec, Variables};

/// A process that leads a group of its own.
///
/// Until it is reaped its number, and so the group's, is taken: a signal to the group cannot reach a stranger. Dropped
/// before that, it kills its group and is reaped.
pub(super) struct Leader {
    pid: Pid,
    /// `None` where the kernel gave none: then [`Leader::has_exited`] must be asked.
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
    pub(super) fn spawn(spec: &Spec, mark: &Mark, guardian: Option<&Guardian>) -> io::Result<(Self, Pipes)> {
        let given = spec.stdin.as_deref().map(file).transpose()?;
        let stdin = match &given {
            Some(file) => file.as_fd(),
            None => NOTHING.fd()?,
        };
        let (stdout, from_stdout) = pipe()?;
        let (stderr, from_stderr) = pipe()?;
        let marked = Variables::from_iter([mark.variable()]);
        let arguments = spec.args.iter().map(OsString::as_os_str);
        let image = Image::new(&find(spec)?, arguments, [&spec.kept, &spec.env, &marked], &spec.directory)?;
        let expected = guardian.map(Guardian::expect);
        let number = expected.as_ref().map(Expected::number);
        let Started { pid, pidfd } = image.start([stdin, stdout.as_fd(), stderr.as_fd()], number)?;
        // From here on it runs: nothing may fail any more. (Our copies of its ends go with this function.)
        let watched = guardian.map(|guardian| guardian.watch(pid));
        let pipes = Pipes { stdout: Some(from_stdout), stderr: Some(from_stderr) };
        Ok((Self { pid, pidfd, watched, reaped: false }, pipes))
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
        let status = retry_on_intr(|| waitpid(Some(self.pid), WaitOptions::empty()));
        // As process 1 of a container we inherit orphans: those of the group are dead, and nobody else's to reap.
        while let Ok(Some(_)) = waitpgid(self.pid, WaitOptions::NOHANG) {}
        let status = status.ok().flatten().map(|(_, status)| (status.exit_status(), status.terminating_signal()));
        match status {
            Some((Some(code), _)) => Exit::Status(code),
            Some((None, Some(signal))) => Exit::Signal(signal),
            Some((None, None)) | None => Exit::Lost,
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
    let path = spec.env.get("PATH").or_else(|| spec.kept.get("PATH")).unwrap_or_default();
    let candidates = std::env::split_paths(path).map(|directory| spec.directory.join(directory).join(&spec.program));
    let is_program = |path: &PathBuf| rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() && path.is_file();
    candidates.into_iter().find(is_program).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
}
