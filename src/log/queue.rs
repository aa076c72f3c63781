//! Lines on their way to a stream that may take none.

use std::io::{ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::config::model::Severity;

/// How many bytes may wait to be written.
const ROOM: usize = 8 << 20;

/// Lines that wait to be written by a thread of their own; bounded in bytes.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Told of every change: something to write, closed, finished.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    dropped: u64,
    closed: bool,
    finished: bool,
}

impl Queue {
    /// Starts to write to `stream`; `report` makes the line that tells how many were dropped.
    pub(super) fn start(
        stream: impl Write + Send + 'static,
        report: impl Fn(u64) -> String + Send + 'static,
    ) -> Arc<Self> {
        let queue = Arc::new(Self { state: Mutex::default(), changed: Condvar::new() });
        let writer = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.write_to(stream, report));
        // Without a thread there is no log, but all else works.
        queue.lock().closed = thread.is_err();
        queue
    }

    /// Adds a line, or counts it as dropped where there is no room; never waits for the stream.
    ///
    /// What is graver than `INFO` finds room where the rest finds none.
    pub(super) fn push(&self, line: &str, severity: Severity) {
        let room = match severity {
            Severity::Emerg | Severity::Alert | Severity::Crit | Severity::Error => ROOM,
            Severity::Warning | Severity::Notice => ROOM,
            Severity::Info | Severity::Debug => ROOM / 2,
        };
        let mut state = self.lock();
        if state.closed || state.lines.len() + line.len() > room {
            state.dropped += 1;
            return;
        }
        state.lines.extend_from_slice(line.as_bytes());
        self.changed.notify_all();
    }

    /// Takes no more lines, and waits until those it has are written: for `patience` at most.
    pub(super) fn close(&self, patience: Duration) {
        let mut state = self.lock();
        state.closed = true;
        self.changed.notify_all();
        let _ = self.changed.wait_timeout_while(state, patience, |state| !state.finished);
    }

    fn write_to(&self, mut stream: impl Write, report: impl Fn(u64) -> String) {
        while let Some((mut lines, dropped)) = self.next() {
            if dropped > 0 {
                lines.extend_from_slice(report(dropped).as_bytes());
            }
            write_all(&mut stream, &lines);
        }
        self.lock().finished = true;
        self.changed.notify_all();
    }

    /// Waits for lines; `None` once it is closed and empty.
    fn next(&self) -> Option<(Vec<u8>, u64)> {
        let idle = |state: &mut State| state.lines.is_empty() && !state.closed;
        let mut state = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        if state.lines.is_empty() {
            return None;
        }
        Some((std::mem::take(&mut state.lines), std::mem::take(&mut state.dropped)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nobody panics while holding it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes all of it, or as much as the stream takes before it breaks: there is nowhere to complain.
fn write_all(stream: &mut impl Write, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return,
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Somebody who shares the stream made it non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(10)),
            Err(_) => return,
        }
    }
}
