//! What the daemon tells its guardian.
//!
//! Both are the same program, so there are no versions. A message is far shorter than `PIPE_BUF`: a write of one is whole.

use rustix::process::Pid;

use super::super::boot_time::BootTime;

/// The length of every message, in bytes.
pub(super) const LENGTH: usize = 12;

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// A program runs, and leads the group of this number.
    Started(Pid),
    /// That group's number may be another's from now on: its leader is about to be reaped.
    Ended(Pid),
    /// Who says so may run programs until then, and on if it says so again; who never has may for ever.
    AliveUntil(BootTime),
}

impl Message {
    pub(super) fn encode(self) -> [u8; LENGTH] {
        let pid = |pid: Pid| u64::from(pid.as_raw_pid().cast_unsigned());
        let (kind, value): (u32, u64) = match self {
            Self::Started(group) => (1, pid(group)),
            Self::Ended(group) => (2, pid(group)),
            Self::AliveUntil(time) => (3, time.nanoseconds()),
        };
        let mut bytes = [0; LENGTH];
        bytes[..4].copy_from_slice(&kind.to_ne_bytes());
        bytes[4..].copy_from_slice(&value.to_ne_bytes());
        bytes
    }

    /// Reads a message; `None` if it is none.
    pub(super) fn decode(bytes: [u8; LENGTH]) -> Option<Self> {
        let (kind, value) = bytes.split_first_chunk::<4>()?;
        let value = u64::from_ne_bytes(value.try_into().ok()?);
        let pid = || Pid::from_raw(i32::try_from(value).ok()?);
        match u32::from_ne_bytes(*kind) {
            1 => pid().map(Self::Started),
            2 => pid().map(Self::Ended),
            3 => Some(Self::AliveUntil(BootTime::from_nanoseconds(value))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::Pid;

    use super::super::super::boot_time::BootTime;
    use super::{LENGTH, Message};

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let pid = Pid::from_raw(4_194_304).expect("it is a number of a process");
        let until = BootTime::from_nanoseconds(u64::MAX - 1);
        for message in [Message::Started(pid), Message::Ended(pid), Message::AliveUntil(until)] {
            assert_eq!(Message::decode(message.encode()), Some(message));
        }
        assert_eq!(Message::decode([0; LENGTH]), None);
        assert_eq!(Message::decode([0xff; LENGTH]), None);
    }
}
