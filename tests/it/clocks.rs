//! Daemons whose clocks jump, or are years apart: when what is due, and who serves what, the database's clock decides. And that
//! clock, when it jumps.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::cluster::Node;
use crate::support::daemon::Daemon;
use crate::support::program::{program, run};
use crate::support::site::Site;
use crate::support::socket::call;
use crate::support::system::Language::Sh;
use crate::support::system::testing;
use crate::support::wait::until;

const ANN: &str = r#"{"email":"x","name":"Ann"}"#;
const YEAR: i64 = 365 * 24 * 3600;

/// What makes a program's clock wrong; see `tests/it/sources/clock.c`.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clock.so");
    let fresh = place.with_extension(std::process::id().to_string());
    let mut compile = program("cc");
    run(
        compile.args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]).arg(&fresh).arg(testing("sources/clock.c")),
        b"",
    )
    .exits(0);
    fs::rename(&fresh, &place).expect("the library is there");
    place
});

/// The clock of one daemon, which can be set while it runs.
struct Clock(PathBuf);

impl Clock {
    /// A clock that is wrong by so many seconds.
    fn wrong_by(site: &Site, name: &str, seconds: i64) -> Self {
        let clock = Self(site.path().join(name));
        fs::write(&clock.0, [0; 8]).expect("a file");
        clock.set(seconds);
        clock
    }

    fn set(&self, seconds: i64) {
        let file = File::options().write(true).open(&self.0).expect("it is there");
        file.write_all_at(&seconds.to_ne_bytes(), 0).expect("eight bytes");
    }

    /// Starts a daemon that takes the time of day from it.
    #[track_caller]
    fn start<'a>(&self, site: &'a Site, state: &'a str) -> Daemon<'a> {
        let mut command = program(env!("CARGO_BIN_EXE_retcond"));
        command.env("LD_PRELOAD", &*LIBRARY).env("CLOCK_OFFSET", &self.0);
        let mut daemon = Daemon::spawn_with(site, state, command);
        daemon.wait_until_ready();
        daemon
    }
}

fn two() -> [crate::support::system::SourceSpec; 2] {
    [Sh.source("billing"), Sh.source("crm")]
}

fn ann(number: usize) -> String {
    format!(r#"{{"email":"x","name":"Ann {number}"}}"#)
}

/// How many seconds a time of an event or a version lies in the future; negative: in the past.
#[track_caller]
fn ahead(time: &Value) -> i64 {
    let time: jiff::Timestamp = time.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{time}"));
    time.as_second() - jiff::Timestamp::try_from(SystemTime::now()).expect("it is now").as_second()
}

/// Waits until the daemon tells of something at a time that is about this wrong: it has seen its clock jump.
#[track_caller]
fn wait_until_seen(daemon: &Daemon<'_>, seconds: i64) {
    daemon.wait_for_event(|event| (ahead(&event["time"]) - seconds).abs() < YEAR / 2);
}

/// Tells a daemon of Ann.
#[track_caller]
fn tell(daemon: &Daemon<'_>) {
    let body = br#"{"entity":"customer","source":"crm","key":"a"}"#;
    call(&daemon.socket(), "POST", "/v1/notifications", Some(body)).expect("it answers").has_status(202);
}

#[track_caller]
fn wait_until_spread(site: &Site, daemon: &Daemon<'_>, document: &str) {
    until(|| (site.system("billing").documents() == [document]).then_some(()), || daemon.log_text());
}

/// How often a daemon has told of something.
fn count(daemon: &Daemon<'_>, message: &str) -> usize {
    daemon.events().iter().filter(|event| event["msg"] == message).count()
}

#[track_caller]
fn wait_for(daemon: &Daemon<'_>, message: &str, times: usize) {
    until(|| (count(daemon, message) >= times).then_some(()), || daemon.log_text());
}

#[test]
fn what_waits_is_done_in_time_wherever_the_daemons_clock_jumps() {
    let site = Site::new(&two());
    let clock = Clock::wrong_by(&site, "clock", 0);
    let daemon = clock.start(&site, "state");
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    let jumps = [3 * YEAR, -3 * YEAR, 30 * YEAR, -30 * YEAR, 0];
    for (number, jump) in jumps.into_iter().enumerate() {
        site.system("billing").fault_everywhere("exit 1\n");
        site.system("crm").put("a", &ann(number));
        tell(&daemon);
        until(|| (site.get("/v1/status")["entities"][0]["queue"]["waiting"] == 1).then_some(()), || daemon.log_text());
        clock.set(jump);
        site.system("billing").heal();
        wait_until_spread(&site, &daemon, &ann(number));
        wait_until_seen(&daemon, jump);
    }
    site.wait_until_at_rest();
    assert_eq!(site.runs().count("billing", "update"), jumps.len(), "{:#?}", site.runs());
    let history = site.get("/v1/records/customer/1/history");
    let versions = history["items"].as_array().expect("a list");
    assert_eq!(versions.len(), jumps.len() + 1, "{history}");
    assert!(versions.iter().all(|version| ahead(&version["at"]).abs() < YEAR / 2), "{history}");
    assert_eq!(site.get("/v1/status")["entities"][0]["state"], "up");
    assert!(daemon.events().iter().all(|event| event["msg"] != "actor failed"), "{}", daemon.log_text());
    daemon.stop();
}

#[test]
fn daemons_whose_clocks_are_decades_apart_serve_one_after_the_other() {
    let site = Site::new(&two());
    let early = Clock::wrong_by(&site, "early", -20 * YEAR);
    let late = Clock::wrong_by(&site, "late", 20 * YEAR);
    let first = early.start(&site, "state");
    site.system("crm").put("a", ANN);
    site.notify("crm", "a");
    let second = late.start(&site, "state-2");
    for (number, jump) in [5, -5, 40, -40].into_iter().enumerate() {
        early.set(jump * YEAR);
        late.set(-jump * YEAR);
        site.system("crm").put("a", &ann(number));
        tell(if number % 2 == 0 { &first } else { &second });
        wait_until_spread(&site, &first, &ann(number));
        assert_eq!(second.get("/v1/status")["entities"][0]["state"], "standby", "{}", second.log_text());
    }
    first.kill_alone();
    let state = || second.get("/v1/status")["entities"][0]["state"].clone();
    until(|| (state() == "up").then_some(()), || second.log_text());
    site.system("crm").put("a", ANN);
    tell(&second);
    wait_until_spread(&site, &second, ANN);
    site.runs().assert_none_meet();
    assert_eq!(site.runs().count("billing", "create"), 1);
}

#[test]
fn daemons_go_on_wherever_the_clock_of_their_database_jumps() {
    let mut node = Node::new();
    node.set("LD_PRELOAD", "clock.so", &fs::read(&*LIBRARY).expect("it is there"));
    let clock = Clock(node.set("CLOCK_OFFSET", "clock", &[0; 8]));
    node.start(&[]);
    let site = Site::new(&two());
    let config = fs::read_to_string(site.path().join("retcon.toml")).expect("a configuration");
    let url = format!("postgres://retcon@{}/postgres", node.host());
    site.write("retcon.toml", &config.replace(&site.database().url(), &url));
    let (first, second) = (Daemon::start_in(&site, "state"), Daemon::start_in(&site, "state-2"));
    site.system("crm").put("a", ANN);
    tell(&first);
    wait_until_spread(&site, &first, ANN);
    // Both have been told the time once by now, the second time that theirs was prolonged.
    let times = || node.ask("select alive_until from daemon order by id");
    let before = until(|| Some(times()).filter(|times| times.len() == 2), || second.log_text());
    until(|| times().iter().zip(&before).all(|(now, before)| now != before).then_some(()), || second.log_text());
    let wrong_by = "select (extract(epoch from clock_timestamp())::bigint - $now) / 1000 * 1000";
    for (number, jump) in [3600, -3600, YEAR, 0].into_iter().enumerate() {
        clock.set(jump);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later").as_secs();
        let told: i64 = node.ask(&wrong_by.replace("$now", &now.to_string()))[0].parse().expect("a number");
        assert_eq!(told, jump / 1000 * 1000);
        site.system("crm").put("a", &ann(number));
        tell(if number % 2 == 0 { &first } else { &second });
        wait_until_spread(&site, &first, &ann(number));
        wait_for(&first, "database clock jumped", number + 1);
        wait_for(&second, "database clock jumped", number + 1);
    }
    // Whoever was heard of before a jump has not been silent since.
    assert_eq!(
        [&first, &second].map(|daemon| count(daemon, "daemon found dead") + count(daemon, "leases lost")),
        [0, 0]
    );
    let serves = |daemon: &Daemon<'_>| daemon.get("/v1/status")["entities"][0]["state"] == "up";
    assert_eq!((serves(&first), serves(&second)), (true, false), "{}", second.log_text());
    // Its time was prolonged before the clock was set back: nobody waits for an hour.
    clock.set(-3600);
    first.kill_alone();
    until(|| serves(&second).then_some(()), || second.log_text());
    site.system("crm").put("a", ANN);
    tell(&second);
    wait_until_spread(&site, &second, ANN);
    site.runs().assert_none_meet();
    assert_eq!(site.runs().count("billing", "create"), 1);
    assert_eq!(site.runs().count("billing", "delete"), 0);
}

#[test]
fn the_clock_that_is_made_wrong_is_the_one_that_programs_read() {
    let site = Site::empty();
    let clock = Clock::wrong_by(&site, "clock", 100 * YEAR);
    let mut date = program("date");
    let date = run(date.arg("+%s").env("LD_PRELOAD", &*LIBRARY).env("CLOCK_OFFSET", &clock.0), b"").exits(0);
    let told = Duration::from_secs(date.stdout().trim().parse().expect("a number"));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later");
    assert!(told.abs_diff(now).as_secs().abs_diff(100 * YEAR.unsigned_abs()) < 1000, "{date}");
}
