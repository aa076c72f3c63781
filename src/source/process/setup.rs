//! What this process passes on to every process it starts, put right once.
//!
//! A shell, `nohup` or a build tool may have started us with signals ignored and descriptors open; both would be inherited.

use std::ops::RangeInclusive;
use std::os::fd::BorrowedFd;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io::{FdFlags, fcntl_setfd};

/// All signals but those of real time, which we neither handle nor ignore.
const SIGNALS: RangeInclusive<libc::c_int> = 1..=31;

/// Signals that a program must find at their default. Not SIGTTIN and SIGTTOU: a handler of ours would make reads and
/// writes on the terminal start over for ever.
const DEFAULTS: [libc::c_int; 8] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGCHLD,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
];

/// Those that this process may handle or ignore, a bit each: what was so when it began, and what it does itself. All others are at
/// their default here, and so for whatever is started.
static CHANGED: AtomicU32 = AtomicU32::new(0);

/// Sees to it, once, that the processes started after this inherit no ignored signal and no descriptor.
pub(in crate::source) fn once() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let of_others = SIGNALS.filter(|signal| disposition(*signal) != Some(libc::SIG_DFL));
        let changed = of_others.chain(DEFAULTS).chain([libc::SIGPIPE]).fold(0, |mask, signal| mask | 1 << signal);
        CHANGED.store(changed, Ordering::Release);
        DEFAULTS.into_iter().for_each(handle_what_is_ignored);
        survive_closed_pipes();
        close_on_exec();
    });
}

/// Gives the signals that a new process must reset; to be called after [`once`].
pub(super) fn changed() -> impl Iterator<Item = libc::c_int> {
    let changed = CHANGED.load(Ordering::Acquire);
    SIGNALS.filter(move |signal| changed & 1 << signal != 0)
}

/// Ignores these signals from now on; a program that is started after this would, too.
pub(in crate::source) fn ignore(signals: &[libc::c_int]) {
    signals.iter().for_each(|signal| set_disposition(*signal, libc::SIG_IGN));
}

/// Closes every descriptor but the first three. For a process that has opened none itself.
pub(in crate::source) fn close_others() {
    // SAFETY: nobody in this process uses a descriptor that is closed by this, as it is called before any is opened.
    unsafe { libc::syscall(libc::SYS_close_range, 3 as libc::c_uint, libc::c_uint::MAX, 0 as libc::c_uint) };
}

/// Does nothing: that is what the signal did while it was ignored.
extern "C" fn nothing(_signal: libc::c_int) {}

/// Replaces "ignored" by a handler that does nothing: for us the same, but a new program starts with the default.
///
/// An ignored SIGCHLD would, besides, make the kernel throw exit statuses away.
fn handle_what_is_ignored(signal: libc::c_int) {
    if disposition(signal) == Some(libc::SIG_IGN) {
        set_disposition(signal, nothing as extern "C" fn(libc::c_int) as libc::sighandler_t);
    }
}

/// Makes a write to a program that reads no more fail instead of ending us; programs get the default all the same.
fn survive_closed_pipes() {
    if disposition(libc::SIGPIPE) == Some(libc::SIG_DFL) {
        set_disposition(libc::SIGPIPE, libc::SIG_IGN);
    }
}

fn disposition(signal: libc::c_int) -> Option<libc::sighandler_t> {
    // SAFETY: all-zero bytes are a valid `sigaction`; with a null new action it is only written to.
    unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        (libc::sigaction(signal, std::ptr::null(), &mut old) == 0).then_some(old.sa_sigaction)
    }
}

fn set_disposition(signal: libc::c_int, handler: libc::sighandler_t) {
    // SAFETY: all-zero bytes are a valid `sigaction` with an empty mask; `handler` is `SIG_IGN` or a function that touches
    // nothing, so it may run at any time on any thread.
    unsafe {
        let mut new: libc::sigaction = std::mem::zeroed();
        new.sa_sigaction = handler;
        new.sa_flags = libc::SA_RESTART;
        libc::sigaction(signal, &new, std::ptr::null_mut());
    }
}

/// Marks every descriptor but the first three close-on-exec; Rust opens its own so, inherited ones are not.
fn close_on_exec() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for number in numbers.filter(|number| *number > 2) {
        // SAFETY: the descriptor is used for one system call only, which no state depends on: if it was closed or reused
        // meanwhile, the call fails, or marks another descriptor that should be marked too.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        let _ = fcntl_setfd(fd, FdFlags::CLOEXEC);
    }
}
