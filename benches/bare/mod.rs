//! A program run with nothing around it: `posix_spawn`, its pipes, its end. The floor of whatever starts programs.

#![allow(dead_code, reason = "each bench uses its part")]

use std::ffi::CString;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null_mut;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, waitpid};

/// What is run: the program, its arguments, its environment.
pub struct Bare {
    program: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    nothing: File,
}

/// A run under way.
pub struct Running {
    pid: Pid,
    pipes: [OwnedFd; 2],
}

/// How a run ended, and what it printed.
#[derive(Debug)]
pub struct BareEnd {
    pub status: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Bare {
    /// Names the program and its environment, beside what every program gets from the daemon.
    pub fn new(program: &Path, environment: &[(&str, &str)]) -> Self {
        let inherited = ["PATH", "HOME", "LANG"].into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?)));
        let given = environment.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let environment = inherited.chain(given).map(|(name, value)| text(format!("{name}={value}").as_bytes()));
        let nothing = File::open("/dev/null").expect("it is there");
        Self {
            program: text(program.as_os_str().as_bytes()),
            arguments: Vec::new(),
            environment: environment.collect(),
            nothing,
        }
    }

    /// Sets what it is to do, and tells it what the daemon would tell, too.
    #[must_use]
    pub fn told(mut self, operation: &str, key: &str) -> Self {
        self.arguments =
            [operation, key].into_iter().filter(|word| !word.is_empty()).map(|word| text(word.as_bytes())).collect();
        let told = [
            ("ENTITY", "customer"),
            ("SOURCE", "s0"),
            ("OPERATION", operation),
            ("KEY", key),
            ("INTERNAL_KEY", "1"),
            ("RUN_ID", "0123456789abcdef0123456789abcdef.1"),
        ];
        self.environment.extend(told.map(|(name, value)| text(format!("RETCON_{name}={value}").as_bytes())));
        self
    }

    /// Adds a variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push(text(format!("{name}={value}").as_bytes()));
        self
    }

    /// Runs it to its end.
    pub fn run(&self, stdin: Option<&str>) -> BareEnd {
        self.start(stdin).finish()
    }

    /// Starts it.
    pub fn start(&self, stdin: Option<&str>) -> Running {
        let stdin = stdin.map(in_memory);
        let [(stdout, to_stdout), (stderr, to_stderr)] =
            [(); 2].map(|()| pipe_with(PipeFlags::CLOEXEC).expect("descriptors are left"));
        let stdin = stdin.as_ref().unwrap_or(&self.nothing);
        let pid = self.spawn([stdin.as_raw_fd(), to_stdout.as_raw_fd(), to_stderr.as_raw_fd()]);
        Running { pid, pipes: [stdout, stderr] }
    }

    fn spawn(&self, descriptors: [i32; 3]) -> Pid {
        let pointers = |words: &mut dyn Iterator<Item = &CString>| {
            words.map(|word| word.as_ptr().cast_mut()).chain([null_mut()]).collect::<Vec<_>>()
        };
        let arguments = pointers(&mut [&self.program].into_iter().chain(&self.arguments));
        let environment = pointers(&mut self.environment.iter());
        let mut pid = 0;
        // SAFETY: the actions are initialized before they are used and destroyed once; all texts end with NUL and the lists of
        // them with a null pointer, and they live until the calls are over.
        let error = unsafe {
            let mut actions: libc::posix_spawn_file_actions_t = std::mem::zeroed();
            libc::posix_spawn_file_actions_init(&raw mut actions);
            for (number, descriptor) in (0..).zip(descriptors) {
                libc::posix_spawn_file_actions_adddup2(&raw mut actions, descriptor, number);
            }
            let (arguments, environment) = (arguments.as_ptr(), environment.as_ptr());
            let error = libc::posix_spawn(
                &raw mut pid,
                self.program.as_ptr(),
                &raw const actions,
                null_mut(),
                arguments,
                environment,
            );
            libc::posix_spawn_file_actions_destroy(&raw mut actions);
            error
        };
        assert_eq!(error, 0, "cannot start {:?}", self.program);
        Pid::from_raw(pid).expect("a process has a number")
    }
}

impl Running {
    /// Reads all that it prints, and waits for its end.
    pub fn finish(self) -> BareEnd {
        let [stdout, stderr] = read_all(self.pipes);
        let status = waitpid(Some(self.pid), WaitOptions::empty()).expect("it is ours");
        BareEnd { status: status.and_then(|(_, status)| status.exit_status()), stdout, stderr }
    }
}

fn text(bytes: &[u8]) -> CString {
    CString::new(bytes).expect("no NUL in it")
}

/// Gives a file in memory that holds a text, as the daemon gives one to its programs.
fn in_memory(text: &str) -> File {
    let mut file = File::from(memfd_create(c"stdin", MemfdFlags::CLOEXEC).expect("descriptors are left"));
    file.write_all(text.as_bytes()).and_then(|()| file.rewind()).expect("memory is left");
    file
}

/// Reads pipes to their ends, whichever has something.
fn read_all(pipes: [OwnedFd; 2]) -> [Vec<u8>; 2] {
    let mut texts = [Vec::new(), Vec::new()];
    let mut open = [true; 2];
    let mut buffer = [0; 16 << 10];
    while open.contains(&true) {
        let mut fds: Vec<(usize, PollFd<'_>)> = Vec::new();
        fds.extend(
            (0..2).filter(|number| open[*number]).map(|number| (number, PollFd::new(&pipes[number], PollFlags::IN))),
        );
        let (numbers, mut fds): (Vec<usize>, Vec<PollFd<'_>>) = fds.into_iter().unzip();
        poll(&mut fds, None).expect("they are ours");
        let ready = numbers.into_iter().zip(fds.iter().map(|fd| !fd.revents().is_empty()));
        for (number, _) in ready.filter(|(_, is_ready)| *is_ready) {
            let count = rustix::io::read(&pipes[number], &mut buffer).expect("they are ours");
            open[number] = count > 0;
            texts[number].extend_from_slice(&buffer[..count]);
        }
    }
    texts
}
