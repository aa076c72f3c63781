//! The guardian's end of the pipe.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use super::message::{LENGTH, Message};

/// How many messages are read at once.
const BATCH: usize = 1024;

/// Reads messages.
pub(super) struct Inbox<'a> {
    pipe: BorrowedFd<'a>,
    buffer: Vec<u8>,
    /// Of `buffer`, what was read of a message that is not whole yet.
    rest: usize,
}

impl<'a> Inbox<'a> {
    pub(super) fn new(pipe: BorrowedFd<'a>) -> Self {
        Self { pipe, buffer: vec![0; BATCH * LENGTH], rest: 0 }
    }

    pub(super) fn pipe(&self) -> BorrowedFd<'a> {
        self.pipe
    }

    /// Waits for messages; `None` when nobody can send any more.
    pub(super) fn receive(&mut self) -> Option<impl Iterator<Item = Message> + use<>> {
        let count = loop {
            match rustix::io::read(self.pipe, &mut self.buffer[self.rest..]) {
                Ok(0) => return None,
                Ok(count) => break self.rest + count,
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(_) => return None,
            }
        };
        let whole = count - count % LENGTH;
        let messages: Vec<Message> =
            self.buffer[..whole].as_chunks::<LENGTH>().0.iter().filter_map(|bytes| Message::decode(*bytes)).collect();
        self.buffer.copy_within(whole..count, 0);
        self.rest = count - whole;
        Some(messages.into_iter())
    }
}
