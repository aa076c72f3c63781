//! A daemon with so many records, and the work that it is given.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::fill::{fill, made_key, match_by_email};
use crate::site::{Database, Site, document};
use crate::socket::ask;

/// How often the rates are measured in each state of things, and with how many items each time.
pub const ROUNDS: u64 = 9;
pub const ITEMS: u64 = 300;
/// In how many rounds items are made and changed in all: one to begin with, and [`ROUNDS`] without a queue and with one.
const ALL_ROUNDS: u64 = 2 * ROUNDS + 1;
/// How many items there are for a round in which what is due first is worked off: more are done than are waited for.
const BLOCK: u64 = ITEMS + 100;
/// The number of the first item that is made here; those below are of the filling.
const FIRST_NEW: u64 = 10_000_000;

/// A daemon with what it has.
pub struct Scene {
    pub database: Database,
    pub daemon: Daemon,
    /// Removed when the daemon has stopped.
    site: Site,
    records: u64,
}

/// What some items took.
#[derive(Debug, Clone, Copy)]
pub struct Took {
    /// So many a second.
    pub rate: f64,
    /// Of the cores, in milliseconds for each: the daemon, its programs and PostgreSQL.
    pub cpu: f64,
}

/// What a round of work took.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    pub creates: Took,
    pub updates: Took,
}

impl Scene {
    /// Starts a daemon with so many records, and with `more` in its configuration.
    pub fn new(records: u64, more: &str) -> Self {
        let site = Site::new(2);
        site.configure(more);
        match_by_email(&site);
        let daemon = site.start();
        let database = site.database();
        if records > 0 {
            fill(&site, &database, records);
        }
        Self { database, daemon, site, records }
    }

    /// Has items made, and as many changed: those that were just made where there are no others.
    pub fn work(&self, round: u64) -> Round {
        let news: Vec<u64> = (0..ITEMS).map(|n| FIRST_NEW + round * ITEMS + n).collect();
        let creates = self.spread(&news, 0);
        let olds = if self.records > 0 { self.olds(round) } else { news };
        Round { creates, updates: self.spread(&olds, 1) }
    }

    /// Gives records of the filling from all over it, other ones in each round, whose copies are where they should be.
    fn olds(&self, round: u64) -> Vec<u64> {
        let olds: Vec<u64> = (0..ITEMS).map(|n| 2 + (round + n * ALL_ROUNDS) * self.apart()).collect();
        olds.iter().for_each(|number| self.put_copies(*number));
        olds
    }

    /// How far those that are changed in the rounds are from each other.
    fn apart(&self) -> u64 {
        self.records / (ITEMS * ALL_ROUNDS + 1)
    }

    /// Puts the copies of a record of the filling where it says that they are.
    fn put_copies(&self, record: u64) {
        self.site.put("s0", &format!("k{record}"), &document(record, 0));
        self.site.put("s1", &made_key(record), &document(record, 0));
    }

    /// Gives items an edition in the first source, and measures how they are spread.
    fn spread(&self, numbers: &[u64], edition: u64) -> Took {
        let keys: Vec<String> = numbers.iter().map(|number| format!("k{number}")).collect();
        numbers.iter().zip(&keys).for_each(|(number, key)| self.site.put("s0", key, &document(*number, edition)));
        let mut connection = self.site.connection();
        self.measure(keys.len(), || self.site.notify(&mut connection, "s0", &keys), || {})
    }

    /// Puts items into the queue that are due first, enough for [`ROUNDS`] of [`Scene::work_off`], and so many others behind them. Nothing
    /// is done about any of them until then.
    pub fn fill_due(&self, others: u64) {
        let firsts = self.due_first();
        firsts.iter().for_each(|number| self.site.put("s0", &format!("k{number}"), &document(*number, 2)));
        self.ask("POST", "/v1/entities/customer/pause");
        let keys: Vec<String> = firsts.iter().map(|number| format!("('k{number}')")).collect();
        let insert =
            "insert into work_item (entity, subject, source, foreign_key, due_at) select 'customer', 'copy', 's0',";
        for rows in [
            format!("key, timestamptz '2000-01-01' from (values {}) as wanted (key)", keys.join(", ")),
            format!(
                "'k' || n, '2000-01-02'::timestamptz + n * interval '1 ms' from generate_series(2, {others} + 1) as n \
                 on conflict do nothing"
            ),
        ] {
            self.database.execute(&format!("{insert} {rows}"));
        }
        // As they are a moment later in life.
        ["vacuum analyze work_item", "checkpoint"].iter().for_each(|statement| self.database.execute(statement));
    }

    /// Gives the records whose items are due first, whose copies are where they should be: of those that were made here, or of the filling.
    fn due_first(&self) -> Vec<u64> {
        let count = ROUNDS * BLOCK;
        if self.records == 0 {
            return (FIRST_NEW..FIRST_NEW + count).collect();
        }
        // Beside those that were changed in the rounds.
        let olds: Vec<u64> = (0..count).map(|n| 3 + n * ITEMS * ALL_ROUNDS / count * self.apart()).collect();
        olds.iter().for_each(|number| self.put_copies(*number));
        olds
    }

    /// Measures how what is due first is worked off: lets the entity go on for [`ITEMS`] items or some more.
    pub fn work_off(&self) -> Took {
        self.measure(
            ITEMS as usize,
            || self.ask("POST", "/v1/entities/customer/resume"),
            || self.ask("POST", "/v1/entities/customer/pause"),
        )
    }

    /// Measures from the beginning of some work to its last recording, by the clock of the database. So many items are waited for; then
    /// it is ended, and what is still under way counts, too.
    fn measure(&self, items: usize, begin: impl FnOnce(), end: impl FnOnce()) -> Took {
        let (began, cpu) = (self.value("select clock_timestamp()::text"), self.daemon.cpu_of_all());
        let done = format!("from work_item where state = 'done' and finished_at > '{began}'");
        begin();
        let count = || self.value(&format!("select count(*)::text {done}")).parse::<usize>().expect("a number");
        while count() < items {
            sleep(Duration::from_millis(10));
        }
        end();
        while self.value("select exists (select from work_item where state = 'running')::text") == "true" {
            sleep(Duration::from_millis(1));
        }
        let cpu = (self.daemon.cpu_of_all() - cpu).as_secs_f64() * 1000.0;
        let count = count();
        assert!(count < BLOCK as usize, "{count} were done, where there was work for {BLOCK}");
        let seconds = format!("select extract(epoch from max(finished_at) - '{began}')::text {done}");
        let (count, seconds) = (count as f64, self.value(&seconds).parse::<f64>().expect("a number"));
        Took { rate: count / seconds, cpu: cpu / count }
    }

    /// Times a scrape, in milliseconds.
    pub fn scrape(&self) -> f64 {
        let began = Instant::now();
        self.ask("GET", "/metrics");
        began.elapsed().as_secs_f64() * 1000.0
    }

    pub fn mebibytes(&self) -> f64 {
        self.daemon.memory() as f64 / 1024.0
    }

    fn value(&self, question: &str) -> String {
        self.database.rows(question)[0][0].clone().expect("it is not null")
    }

    fn ask(&self, method: &str, path: &str) {
        let answer = ask(self.site.path(), method, path);
        assert_eq!(answer.as_ref().map(|answer| answer.0), Some(200), "{method} {path}: {answer:?}");
    }
}
