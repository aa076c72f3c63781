//! The wire between the daemons and one PostgreSQL: a TCP port that passes bytes on, and can be cut at bad moments.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::thread;

/// What is watched for.
const QUIET: u8 = 0;
/// How an answer ends after which no transaction is open.
const IDLE: &[u8] = b"\x05I";

/// The next COMMIT is passed on, and then both ends are cut.
const AT_COMMIT: u8 = 1;
/// The next COMMIT is passed on and answered, and the answer is withheld.
const AFTER_COMMIT: u8 = 2;
/// The next answer to a statement that stands for itself is withheld.
const AFTER_ANSWER: u8 = 3;

/// The moment at which the wire is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    AtCommit,
    AfterCommit,
    AfterAnswer,
}

/// What all connections of a wire share.
#[derive(Debug, Default)]
struct Shears {
    armed: AtomicU8,
    cuts: AtomicU32,
}

impl Shears {
    /// Takes the order, if it is this one.
    fn take(&self, order: u8) -> bool {
        let is_taken = self.armed.compare_exchange(order, QUIET, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if is_taken {
            self.cuts.fetch_add(1, Ordering::SeqCst);
        }
        is_taken
    }
}

/// A port of this machine that leads to a unix socket.
#[derive(Debug)]
pub struct Wire {
    port: u16,
    shears: Arc<Shears>,
}

impl Wire {
    /// Opens a port for as long as this process lives.
    ///
    /// # Errors
    /// There is no port to be had.
    pub fn open(socket: PathBuf) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let shears = Arc::new(Shears::default());
        let shared = Arc::clone(&shears);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that is away closes the connection: that is what a client of it sees.
                if let Ok(server) = UnixStream::connect(&socket) {
                    connect(client, server, &shared);
                }
            }
        });
        Ok(Self { port, shears })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Orders one cut.
    pub fn arm(&self, moment: Moment) {
        let order = match moment {
            Moment::AtCommit => AT_COMMIT,
            Moment::AfterCommit => AFTER_COMMIT,
            Moment::AfterAnswer => AFTER_ANSWER,
        };
        self.shears.armed.store(order, Ordering::SeqCst);
    }

    /// Takes an order back that was not carried out.
    pub fn disarm(&self) {
        self.shears.armed.store(QUIET, Ordering::SeqCst);
    }

    /// Tells how many cuts there were.
    pub fn cuts(&self) -> u32 {
        self.shears.cuts.load(Ordering::SeqCst)
    }
}

/// Passes bytes on, each way on a thread of its own.
fn connect(client: TcpStream, server: UnixStream, shears: &Arc<Shears>) {
    let _ = client.set_nodelay(true);
    let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else { return };
    // Whether the answer that comes next is to be withheld.
    let withheld = Arc::new(AtomicU8::new(QUIET));
    let (to_server, to_client) = (Arc::clone(&withheld), withheld);
    let (mine, its) = (Arc::clone(shears), Arc::clone(shears));
    thread::spawn(move || {
        pass(&client, &server, |bytes| {
            let is_commit = contains(bytes, b"COMMIT\0") || contains(bytes, b"commit\0");
            if is_commit && mine.take(AFTER_COMMIT) {
                to_server.store(AFTER_COMMIT, Ordering::SeqCst);
            }
            is_commit && mine.take(AT_COMMIT)
        });
        let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
    });
    thread::spawn(move || {
        withhold(&server_too, &client_too, &its, &to_client);
        let _ = (client_too.shutdown(Shutdown::Both), server_too.shutdown(Shutdown::Both));
    });
}

/// Passes on what comes, until an end or until `is_last` says so of what was passed.
fn pass(mut from: impl Read, mut to: impl Write, is_last: impl Fn(&[u8]) -> bool) {
    let mut buffer = [0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        let bytes = buffer.get(..n).unwrap_or_default();
        let is_over = is_last(bytes);
        if to.write_all(bytes).is_err() || is_over {
            return;
        }
    }
}

/// Passes answers on, until an end or until one is to be withheld.
fn withhold(mut from: impl Read, mut to: impl Write, shears: &Shears, withheld: &AtomicU8) {
    let mut buffer = [0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        let bytes = buffer.get(..n).unwrap_or_default();
        if withheld.load(Ordering::SeqCst) == AFTER_COMMIT {
            // What was said before the commit, and with it, is answered first; `I` at the end: the transaction is over.
            if bytes.ends_with(IDLE) {
                return;
            }
            continue;
        }
        // `INSERT` and `UPDATE` stand in the answer to a statement that changed something; `I` at its end: outside of a transaction.
        let is_change = (contains(bytes, b"INSERT 0 ") || contains(bytes, b"UPDATE ")) && bytes.ends_with(IDLE);
        if is_change && shears.take(AFTER_ANSWER) || to.write_all(bytes).is_err() {
            return;
        }
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// A server that answers each message with itself.
    fn echo(dir: &std::path::Path) -> Wire {
        let socket = dir.join("socket");
        let listener = UnixListener::bind(&socket).expect("a socket");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Ok(back) = stream.try_clone() else { return };
                thread::spawn(move || pass(stream, back, |_| false));
            }
        });
        Wire::open(socket).expect("a port")
    }

    fn exchange(wire: &Wire, message: &[u8]) -> usize {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, wire.port())).expect("it listens");
        stream.write_all(message).expect("it takes bytes");
        stream.read(&mut [0; 64]).unwrap_or(0)
    }

    #[test]
    fn an_answer_to_a_commit_is_withheld_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let wire = echo(dir.path());
        wire.arm(Moment::AfterCommit);
        assert_eq!(exchange(&wire, b"select 1\0"), 9);
        assert_eq!((exchange(&wire, b"COMMIT\0\x05I"), wire.cuts()), (0, 1));
        assert_eq!((exchange(&wire, b"COMMIT\0\x05I"), wire.cuts()), (9, 1));
    }
}
