//! A wire between a daemon and PostgreSQL that writes down what passes: statements by their files, round trips, commits.
//!
//! An answer is held back until the client has said all that it says without one, so that what is sent at once is one round
//! trip, however the two take turns on the machine.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::site::Site;
use super::wait::until;
use super::wire::{both, hang_up, message};

/// For how long a client that has more to say at once may be silent in between.
const BREATH: Duration = Duration::from_millis(80);
/// For how long nothing may have passed before all is over; longer than between two round trips of one request.
const QUIET: Duration = Duration::from_millis(400);

/// What the daemon does in any case, or for who asks how things are.
const ASIDE: [&str; 11] = [
    "daemon/",
    "database/",
    "entity/count.sql",
    "entity/list_due.sql",
    "event/",
    "event_counter/",
    "event_reader/",
    "lease/lock_free.sql",
    "lease/take.sql",
    "token/",
    "work_item/find.sql",
];

/// A wire on which a site's daemons are; it serves until the test's process ends.
pub(crate) struct Meter(Arc<Book>);

/// What has passed.
struct Book {
    /// The name of each statement, by its text, and whether it writes.
    statements: HashMap<String, (String, bool)>,
    trips: Mutex<Vec<Trip>>,
    /// When a session last began to prepare one that it is about to run, which takes a round trip that does nothing.
    prepared: Mutex<Option<Instant>>,
}

/// What a client said without waiting for an answer in between.
#[derive(Debug, Clone)]
pub(crate) struct Trip {
    session: usize,
    /// The transaction that the client had begun.
    transaction: Option<usize>,
    /// The statements that were run, by their files.
    statements: Vec<String>,
    /// How many transactions it ended that may have written.
    commits: usize,
    last: Instant,
}

/// What was done for somebody.
#[derive(Debug, Clone)]
pub(crate) struct Bill(Vec<Trip>);

impl Meter {
    /// Lays a wire between a site's daemons and its database.
    pub(crate) fn at(site: &Site) -> Self {
        let url = site.database().url();
        let host = url.split(['@', '/']).nth(3).expect("a URL with a host").to_owned();
        let sockets = site.path().join("meter");
        fs::create_dir(&sockets).expect("a directory");
        let name = ".s.PGSQL.5432";
        let listener = UnixListener::bind(sockets.join(name)).expect("the directory is new, its path short");
        let config = fs::read_to_string(site.path().join("retcon.toml")).expect("a configuration");
        let by_wire = sockets.display().to_string().replace('/', "%2F");
        site.write("retcon.toml", &config.replace(&host, &by_wire));
        let book = Arc::new(Book { statements: statements(), trips: Mutex::default(), prepared: Mutex::default() });
        let (shared, server) = (Arc::clone(&book), Path::new(&host.replace("%2F", "/")).join(name));
        std::thread::spawn(move || {
            for (number, client) in listener.incoming().enumerate() {
                let (client, book, server) =
                    (client.expect("descriptors are left"), Arc::clone(&shared), server.clone());
                std::thread::spawn(move || serve(client, &server, Arc::new(Session::new(number, book))));
            }
        });
        Self(book)
    }

    /// Gives what has been done since the last time, once nothing is under way any more.
    #[track_caller]
    pub(crate) fn bill(&self) -> Bill {
        until(|| self.0.is_quiet().then_some(()), || format!("it never ends:\n{}", Bill(self.0.trips().clone())));
        let trips = std::mem::take(&mut *self.0.trips());
        let is_aside = |trip: &Trip| match trip.transaction {
            None => trip.is_aside(),
            Some(_) => trips.iter().filter(|other| other.is_with(trip)).all(Trip::is_aside),
        };
        let bill = trips.iter().filter(|trip| !is_aside(trip)).cloned();
        Bill(bill.collect())
    }
}

impl Bill {
    pub(crate) fn trips(&self) -> usize {
        self.0.len()
    }

    /// Those that begin and end transactions included.
    pub(crate) fn statements(&self) -> usize {
        self.0.iter().map(|trip| trip.statements.len()).sum()
    }

    pub(crate) fn commits(&self) -> usize {
        self.0.iter().map(|trip| trip.commits).sum()
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|trip| writeln!(f, "  {}: {}", trip.session, trip.statements.join(", ")))
    }
}

impl Trip {
    /// Tells whether it has nothing of its own, or only what is done in any case.
    fn is_aside(&self) -> bool {
        self.statements.iter().all(|name| is_beside(name) || is_bracket(name))
    }

    fn is_with(&self, other: &Self) -> bool {
        (self.session, self.transaction) == (other.session, other.transaction)
    }
}

impl Book {
    /// Tells whether nothing has passed for a while, or only what is done in any case.
    fn is_quiet(&self) -> bool {
        let prepared = *self.prepared.lock().expect("nobody panics with it");
        let is_over = |at: Instant| at.elapsed() > QUIET;
        prepared.is_none_or(is_over) && self.trips().iter().all(|trip| is_over(trip.last) || trip.is_aside())
    }

    /// Notes that a statement is being prepared.
    fn prepare(&self, text: &str) {
        if self.statements.get(text).is_some_and(|(name, _)| !is_beside(name)) {
            *self.prepared.lock().expect("nobody panics with it") = Some(Instant::now());
        }
    }

    fn trips(&self) -> MutexGuard<'_, Vec<Trip>> {
        self.trips.lock().expect("nobody panics with it")
    }
}

/// Whether a statement is run in any case, or for who asks how things are.
fn is_beside(name: &str) -> bool {
    ASIDE.iter().any(|aside| name.starts_with(aside))
}

/// Whether a statement begins or ends a transaction, or sets up a session.
fn is_bracket(name: &str) -> bool {
    !name.contains('/')
}

/// Reads the program's statements: the name of each by its text.
fn statements() -> HashMap<String, (String, bool)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sql");
    let list = |directory: &Path| -> Vec<_> {
        let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        entries.map(|entry| entry.expect("an entry").path()).collect()
    };
    let named = list(&root).into_iter().flat_map(|table| list(&table)).map(|file| {
        let text = fs::read_to_string(&file).expect("it can be read");
        let writes = text
            .lines()
            .map(str::trim_start)
            .any(|line| ["insert into ", "update ", "delete from "].iter().any(|verb| line.starts_with(verb)));
        (text, (file.strip_prefix(&root).expect("it is below").display().to_string(), writes))
    });
    named.collect()
}

/// A session that passes.
struct Session {
    number: usize,
    book: Arc<Book>,
    said: Mutex<Said>,
}

/// What a client has said.
#[derive(Default)]
struct Said {
    /// The statements that it has prepared, by the names that it gave them.
    prepared: HashMap<String, String>,
    /// The one that is run next.
    bound: String,
    transaction: Option<usize>,
    transactions: usize,
    /// What it has run since it last had an answer, and which transaction that belongs to.
    trip: Option<Trip>,
    last: Option<Instant>,
}

impl Session {
    fn new(number: usize, book: Arc<Book>) -> Self {
        Self { number, book, said: Mutex::default() }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().expect("nobody panics with it")
    }

    /// Takes a message of the client down.
    fn hear(&self, message: &[u8]) {
        let mut said = self.said();
        said.last = Some(Instant::now());
        let mut texts = message[5..].split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
        let mut text = || texts.next().unwrap_or_default();
        match message[0] {
            b'P' => {
                let (name, statement) = (text(), text());
                self.book.prepare(&statement);
                said.prepared.insert(name, statement);
            }
            b'B' => {
                text();
                said.bound = said.prepared.get(&text()).cloned().unwrap_or_default();
            }
            b'E' => {
                let statement = said.bound.clone();
                self.enter(&mut said, &statement);
            }
            b'Q' => {
                let statement = text();
                self.enter(&mut said, &statement);
            }
            _ => {}
        }
    }

    /// Enters a statement that is run.
    fn enter(&self, said: &mut Said, text: &str) {
        let first = text.split_whitespace().next().unwrap_or_default().to_uppercase();
        let known = self.book.statements.get(text).cloned();
        let (name, writes) = known.unwrap_or_else(|| (text.replace('/', "."), false));
        if ["BEGIN", "START"].contains(&first.as_str()) {
            said.transactions += 1;
            said.transaction = Some(said.transactions);
        }
        let transaction = said.transaction;
        let trip = said.trip.get_or_insert_with(|| Trip {
            session: self.number,
            transaction,
            statements: Vec::new(),
            commits: 0,
            last: Instant::now(),
        });
        trip.transaction = trip.transaction.or(transaction);
        trip.statements.push(name);
        trip.commits += usize::from(first == "COMMIT" || transaction.is_none() && writes);
        if ["COMMIT", "ROLLBACK", "END"].contains(&first.as_str()) {
            said.transaction = None;
        }
    }

    /// Waits until the client has said all that it says without an answer; that was one round trip.
    fn answer(&self) {
        loop {
            let mut said = self.said();
            let silent = said.last.map_or(BREATH, |last| last.elapsed());
            if silent >= BREATH {
                if let Some(trip) = said.trip.take() {
                    self.book.trips().push(Trip { last: Instant::now(), ..trip });
                }
                return;
            }
            drop(said);
            std::thread::sleep(BREATH - silent);
        }
    }
}

/// Passes messages on between a client and the server, until either is gone.
fn serve(client: UnixStream, server: &Path, session: Arc<Session>) {
    let Ok(server) = UnixStream::connect(server) else { return };
    let (answers, ears, listening) = (both(&server), both(&client), Arc::clone(&session));
    std::thread::spawn(move || hear(answers, ears, &listening));
    let _ = speak(both(&client), both(&server), &session);
    hang_up(&client, &server);
}

fn speak(mut client: UnixStream, mut server: UnixStream, session: &Session) -> io::Result<()> {
    // The first message alone has no kind.
    server.write_all(&message(&mut client, 0)?)?;
    loop {
        let said = message(&mut client, 1)?;
        session.hear(&said);
        server.write_all(&said)?;
    }
}

fn hear(mut server: UnixStream, mut client: UnixStream, session: &Session) {
    let mut bytes = vec![0; 1 << 20];
    while let Ok(length @ 1..) = server.read(&mut bytes) {
        session.answer();
        if client.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    hang_up(&client, &server);
}
