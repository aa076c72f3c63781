//! A wire between a daemon and PostgreSQL that writes down what passes: statements by their files, round trips, commits.
//!
//! What is one round trip is told by the daemon itself, not by a clock: see [`exchange`].

mod exchange;
mod sleep;

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use exchange::Exchange;

use super::site::Site;
use super::wait::until;

/// For how long what may come of its own accord is waited for when nothing is under way any more.
const QUIET: Duration = Duration::from_millis(400);
/// How often the wire looks for something to pass on.
const TICK: Duration = Duration::from_millis(1);

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

/// A wire on which a site's daemons are; it serves until it is dropped.
pub(crate) struct Meter(Arc<Wire>);

struct Wire {
    exchange: Mutex<Exchange>,
    is_gone: AtomicBool,
}

/// The name of each statement, by its text, and whether it writes.
type Statements = HashMap<String, (String, bool)>;

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
        let server = Path::new(&host.replace("%2F", "/")).join(name);
        let exchange = Mutex::new(Exchange::new(listener, server, site.path().to_owned(), statements()));
        let wire = Arc::new(Wire { exchange, is_gone: AtomicBool::new(false) });
        let shared = Arc::clone(&wire);
        std::thread::spawn(move || shared.serve());
        Self(wire)
    }

    /// Gives what has been done since the last time, once nothing is under way any more.
    #[track_caller]
    pub(crate) fn bill(&self) -> Bill {
        let trips = until(
            || {
                let mut exchange = self.0.exchange();
                let is_old = |trip: &Trip| trip.last.elapsed() > QUIET || trip.is_aside();
                let is_over = exchange.trips.iter().all(is_old) && exchange.is_at_rest();
                is_over.then(|| std::mem::take(&mut exchange.trips))
            },
            || format!("it never ends:\n{}", Bill(self.0.exchange().trips.clone())),
        );
        let is_aside = |trip: &Trip| match trip.transaction {
            None => trip.is_aside(),
            Some(_) => trips.iter().filter(|other| other.is_with(trip)).all(Trip::is_aside),
        };
        let bill = trips.iter().filter(|trip| !is_aside(trip)).cloned();
        Bill(bill.collect())
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.0.is_gone.store(true, Ordering::SeqCst);
    }
}

impl Wire {
    fn serve(&self) {
        while !self.is_gone.load(Ordering::SeqCst) {
            if !self.exchange().turn() {
                std::thread::park_timeout(TICK);
            }
        }
    }

    fn exchange(&self) -> MutexGuard<'_, Exchange> {
        self.exchange.lock().expect("nobody panics with it")
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
        let is_aside = |name: &String| ASIDE.iter().any(|aside| name.starts_with(aside)) || is_bracket(name);
        self.statements.iter().all(is_aside)
    }

    fn is_with(&self, other: &Self) -> bool {
        (self.session, self.transaction) == (other.session, other.transaction)
    }
}

/// Whether a statement begins or ends a transaction, or sets up a session.
fn is_bracket(name: &str) -> bool {
    !name.contains('/')
}

/// Reads the program's statements: the name of each by its text.
fn statements() -> Statements {
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
