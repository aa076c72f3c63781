//! A wire between a store and PostgreSQL that a test can cut: when a transaction has been committed and nobody has heard of
//! it, or when nobody has heard that it is to be.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use retcon::store::Store;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::postgres::TestStore;

/// When the wire is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Nothing is committed.
    BeforeCommit,
    /// It is committed, and the answer does not come through.
    AfterCommit,
}

/// What the server says when it has answered and no transaction is open.
const IDLE: &[u8] = b"Z\0\0\0\x05I";

/// What cuts the wire.
#[derive(Debug)]
struct Cut {
    /// How the statement begins that makes a transaction one of those.
    statement: &'static str,
    moment: Moment,
    /// How often it is still to be cut.
    left: AtomicUsize,
    /// Whoever has this holds a commit up at which it is to be cut.
    hold: Mutex<()>,
}

/// A wire; it serves until the test's process ends.
pub(crate) struct Wire {
    config: Config,
    cut: Arc<Cut>,
}

impl Wire {
    /// Lays a wire in `directory` that is cut so many times in transactions with a statement that begins like this.
    pub(crate) fn new(
        directory: &Path,
        database: &TestStore,
        statement: &'static str,
        moment: Moment,
        times: usize,
    ) -> Self {
        let real = database.config();
        let name = ".s.PGSQL.5432";
        let listener = UnixListener::bind(directory.join(name)).expect("the directory is new, its path short");
        let [Host::Unix(sockets)] = real.get_hosts() else { panic!("{real:?} is not behind one unix socket") };
        let server = sockets.join(name);
        let cut = Arc::new(Cut { statement, moment, left: AtomicUsize::new(times), hold: Mutex::default() });
        let mut config = Config::new();
        config.host_path(directory).user(real.get_user().expect("a user"));
        config.dbname(real.get_dbname().expect("a database"));
        let shared = Arc::clone(&cut);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, cut, server) =
                    (client.expect("descriptors are left"), Arc::clone(&shared), server.clone());
                std::thread::spawn(move || serve(client, &server, cut));
            }
        });
        Self { config, cut }
    }

    /// A store behind the wire.
    pub(crate) fn store(&self) -> Store {
        Store::connect(self.config.clone(), 8).expect("no TLS is asked for")
    }

    /// Holds the commits up at which it is to be cut, until what is given is dropped.
    pub(crate) fn hold(&self) -> MutexGuard<'_, ()> {
        self.cut.hold.lock().expect("nobody panics with it")
    }

    /// How often it is still to be cut.
    pub(crate) fn left(&self) -> usize {
        self.cut.left.load(Ordering::SeqCst)
    }
}

impl Cut {
    /// Takes one of the cuts that are left.
    fn take(&self) -> bool {
        let take = |left: usize| left.checked_sub(1);
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok()
    }
}

/// Passes messages on between a client and the server, until either is gone or the wire is cut.
fn serve(client: UnixStream, server: &Path, cut: Arc<Cut>) {
    // A server that cannot be had now is one that went away.
    let Ok(server) = UnixStream::connect(server) else { return };
    let is_mute = Arc::new(AtomicBool::new(false));
    let (answers, ears, mute) = (both(&server), both(&client), Arc::clone(&is_mute));
    std::thread::spawn(move || hear(answers, ears, &mute));
    let _ = speak(both(&client), both(&server), &cut, &is_mute);
    hang_up(&client, &server);
}

/// Passes on what the client says, and listens for the transactions in which the wire is to be cut.
fn speak(mut client: UnixStream, mut server: UnixStream, cut: &Cut, is_mute: &AtomicBool) -> io::Result<()> {
    let mut ear = Ear { cut, names: HashSet::new(), is_open: false, is_wanted: false };
    // The first message alone has no kind.
    server.write_all(&message(&mut client, 0)?)?;
    loop {
        let said = message(&mut client, 1)?;
        if ear.is_end_of_wanted(&said) && cut.take() {
            drop(cut.hold.lock());
            match cut.moment {
                Moment::BeforeCommit => return Ok(()),
                Moment::AfterCommit => is_mute.store(true, Ordering::SeqCst),
            }
        }
        server.write_all(&said)?;
    }
}

/// What has been heard of a client.
struct Ear<'a> {
    cut: &'a Cut,
    /// Under which the client has prepared the statement.
    names: HashSet<Vec<u8>>,
    /// Whether it is within a transaction that it has begun.
    is_open: bool,
    /// Whether it has run the statement in this one.
    is_wanted: bool,
}

impl Ear<'_> {
    /// Tells whether this message commits a transaction in which the statement was run.
    fn is_end_of_wanted(&mut self, said: &[u8]) -> bool {
        let texts: Vec<&[u8]> = said[5..].split(|byte| *byte == 0).collect();
        match said[0] {
            b'P' if texts[1].starts_with(self.cut.statement.as_bytes()) => drop(self.names.insert(texts[0].to_vec())),
            b'P' => drop(self.names.remove(texts[0])),
            b'B' => self.is_wanted |= self.names.contains(texts[1]),
            // A statement that stands alone is a transaction of its own.
            b'S' if !self.is_open => return std::mem::take(&mut self.is_wanted),
            b'Q' => {
                let was_wanted = std::mem::take(&mut self.is_wanted);
                self.is_open = texts[0].starts_with(b"BEGIN") || texts[0].starts_with(b"START TRANSACTION");
                return was_wanted && texts[0] == b"COMMIT";
            }
            _ => {}
        }
        false
    }
}

/// Passes on what the server answers. Where the wire is cut, nothing comes through any more, and the end is when the transaction has
/// ended: what came before its commit was perhaps sent with it, and is still being answered.
fn hear(mut server: UnixStream, mut client: UnixStream, is_mute: &AtomicBool) {
    let mut bytes = [0; 64 << 10];
    while let Ok(length @ 1..) = server.read(&mut bytes) {
        let said = &bytes[..length];
        if is_mute.load(Ordering::SeqCst) {
            if said.ends_with(IDLE) {
                break;
            }
        } else if client.write_all(said).is_err() {
            break;
        }
    }
    hang_up(&client, &server);
}

/// Reads one message: its kind, if it has one, its length, and what it says.
pub(super) fn message(stream: &mut UnixStream, kind: usize) -> io::Result<Vec<u8>> {
    let mut message = vec![0; kind + 4];
    stream.read_exact(&mut message)?;
    let length = u32::from_be_bytes(message[kind..].try_into().expect("four bytes"));
    message.resize(kind + length as usize, 0);
    stream.read_exact(&mut message[kind + 4..])?;
    Ok(message)
}

fn both(stream: &UnixStream) -> UnixStream {
    stream.try_clone().expect("descriptors are left")
}

fn hang_up(client: &UnixStream, server: &UnixStream) {
    for stream in [client, server] {
        // It may be gone already.
        let _ = stream.shutdown(Shutdown::Both);
    }
}
