//! The start of a process that never is a copy of ours.
//!
//! As with posix_spawn(3), the new process shares our memory until it is another program, and the thread that starts it stands still
//! meanwhile: so it costs the same however much memory we have. That function would do here; but glibc's asks the kernel twice
//! for each signal there is, and makes and unmakes a mapping, which interrupts every core that we run on.

use std::ffi::{CString, OsStr, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::atomic::AtomicI32;

use rustix::io::retry_on_intr;
use rustix::process::{Pid, WaitOptions, waitpid};

use super::Variables;
use super::setup;

/// The stack of the new process until it is another program; it calls nothing that is deep.
const STACK: usize = 32 << 10;

/// What a process is to be. All of it is put together before there is one: that may not allocate.
pub(super) struct Image<'a> {
    program: CString,
    directory: CString,
    // What the pointers below point to.
    _texts: (Vec<CString>, [&'a Variables; 3]),
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
}

/// A process that was started.
pub(super) struct Started {
    pub(super) pid: Pid,
    /// `None` where the kernel gives none with the process.
    pub(super) pidfd: Option<OwnedFd>,
}

/// What the new process is told, and tells us.
struct Task<'a> {
    image: &'a Image<'a>,
    descriptors: [RawFd; 3],
    /// Why it is no other program.
    error: c_int,
}

impl<'a> Image<'a> {
    /// Puts it together: a program, which is not looked for, its arguments, all of its environment, its directory.
    pub(super) fn new(
        program: &Path,
        arguments: impl Iterator<Item = &'a OsStr>,
        environment: [&'a Variables; 3],
        directory: &Path,
    ) -> io::Result<Self> {
        let program = text(program.as_os_str().as_bytes())?;
        let arguments: Vec<CString> = arguments.map(|word| text(word.as_bytes())).collect::<io::Result<_>>()?;
        // The texts themselves stay where they are when their list is moved.
        let all_arguments = [&program].into_iter().chain(&arguments);
        let pointers_to_arguments = all_arguments.map(|text| text.as_ptr()).chain([null()]).collect();
        let of_environment = environment.into_iter().map(Variables::texts).collect::<io::Result<Vec<_>>>()?;
        let variables = of_environment.into_iter().flatten();
        Ok(Self {
            directory: text(directory.as_os_str().as_bytes())?,
            arguments: pointers_to_arguments,
            environment: variables.map(|text| text.as_ptr()).chain([null()]).collect(),
            _texts: (arguments, environment),
            program,
        })
    }

    /// Starts a process, which leads a group of its own, with these as its descriptors 0, 1 and 2; what else is not
    /// close-on-exec it has, too. All signals are at their defaults. Its number is in `number` from the moment at which it first runs.
    ///
    /// # Errors
    /// It could not be started, or could not be this program; nothing runs then.
    pub(super) fn start(&self, descriptors: [BorrowedFd<'_>; 3], number: Option<&AtomicI32>) -> io::Result<Started> {
        let descriptors = descriptors.map(|descriptor| descriptor.as_raw_fd());
        if descriptors.iter().any(|descriptor| *descriptor < 3) {
            // One would take the place of another. (Rust's runtime opens the first three where they are closed.)
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        let mut task = Task { image: self, descriptors, error: 0 };
        let mut stack = Vec::<MaybeUninit<u128>>::with_capacity(STACK / size_of::<u128>());
        let top = stack.spare_capacity_mut().as_mut_ptr_range().end;
        let mut pidfd: RawFd = -1;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
        let (flags, number) = match number {
            Some(number) => (flags | libc::CLONE_CHILD_SETTID, number.as_ptr()),
            None => (flags, null_mut()),
        };
        // SAFETY: the process gets a stack that nobody else uses, of which `top` is the aligned upper end; `task`, `stack`, `number` and
        // all that they point to live until it has gone on to its program or ended, which this thread waits for in the call
        // (CLONE_VFORK). No handler of ours runs in it, as all signals are blocked until they are reset.
        let pid = unsafe {
            let mut all = MaybeUninit::uninit();
            let mut before = MaybeUninit::uninit();
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr());
            let pid = libc::clone(
                be,
                top.cast(),
                flags,
                (&raw mut task).cast(),
                &raw mut pidfd,
                null_mut::<c_void>(),
                number,
            );
            let error = io::Error::last_os_error();
            libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), null_mut());
            Pid::from_raw(pid.max(0)).ok_or(error)?
        };
        // SAFETY: the kernel has just made it for us.
        let pidfd = (pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) });
        if task.error != 0 {
            // It has ended already.
            let _ = retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()));
            return Err(io::Error::from_raw_os_error(task.error));
        }
        Ok(Started { pid, pidfd })
    }
}

fn text(bytes: &[u8]) -> io::Result<CString> {
    Ok(CString::new(bytes)?)
}

/// What the new process does until it is another program. It shares our memory: it may not allocate, not take a lock, not panic.
extern "C" fn be(task: *mut c_void) -> c_int {
    // SAFETY: `start` has given us a task, which it leaves alone until we have ended or are another program.
    unsafe {
        let task = &mut *task.cast::<Task<'_>>();
        task.error = prepare(task.image, &task.descriptors);
        if task.error == 0 {
            let Image { program, arguments, environment, .. } = task.image;
            libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr());
            task.error = *libc::__errno_location();
        }
        // Without what ends a program in order: that would end ours.
        libc::_exit(127)
    }
}

/// Makes of the new process what its program is to find; gives the number of the error, or 0.
///
/// # Safety
/// Only for a process of its own whose signals are blocked.
unsafe fn prepare(image: &Image<'_>, descriptors: &[RawFd; 3]) -> c_int {
    // SAFETY: all-zero bytes are a valid `sigaction`, the default; all else is whole and used for the time of the calls.
    unsafe {
        let default: libc::sigaction = std::mem::zeroed();
        for signal in setup::changed() {
            libc::sigaction(signal, &raw const default, null_mut());
        }
        let mut none = MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        let is_prepared = libc::setpgid(0, 0) == 0
            && (0..).zip(descriptors).all(|(place, descriptor)| libc::dup2(*descriptor, place) == place)
            && libc::chdir(image.directory.as_ptr()) == 0
            && libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), null_mut()) == 0;
        if is_prepared { 0 } else { *libc::__errno_location() }
    }
}
