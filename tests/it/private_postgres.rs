//! The private PostgreSQL: found, initialised, started, adopted, restarted, stopped, and refused with what to do.

mod holder;
mod root;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;

use retcon::store::private::{BroughtUp, Origin, PrivateError, PrivatePostgres};
use retcon::store::state_dir::{StateDir, StateDirError};
use rustix::process::{Pid, Signal, kill_process};
use tokio_postgres::NoTls;

use crate::support::postgres::{block_on, guard, reachable_directory};
use crate::support::wait::until;
use holder::Holder;

/// A directory with a state directory in it; what still runs there is ended with it.
struct Scratch {
    path: PathBuf,
    guardian: Child,
}

impl Scratch {
    fn new() -> Self {
        let path = reachable_directory("retcon-private-");
        let guardian = guard(&path);
        Self { path, guardian }
    }

    fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    fn pg(&self) -> PathBuf {
        self.state().join("pg")
    }

    fn claim(&self) -> StateDir {
        StateDir::claim(&self.state()).expect("nobody else has it")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.guardian.stdin.take());
        drop(self.guardian.wait());
    }
}

fn start(state_dir: &StateDir) -> PrivatePostgres {
    PrivatePostgres::start(state_dir, None).unwrap_or_else(|error| panic!("{error}\nhint: {:?}", error.hint()))
}

/// Runs statements, and gives the last one's only value.
fn ask(postgres: &PrivatePostgres, sql: &str) -> String {
    let config = postgres.config();
    block_on(async move {
        let (client, connection) = config.connect(NoTls).await.expect("it takes connections");
        tokio::spawn(connection);
        let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let mut value = String::new();
        for message in messages {
            if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                value = row.get(0).unwrap_or_default().to_owned();
            }
        }
        value
    })
}

fn is_running(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn pid(postgres: &PrivatePostgres) -> i32 {
    postgres.pid().expect("it runs")
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).expect("it is one"), Signal::KILL).expect("it is ours");
}

#[test]
fn listens_on_a_unix_socket_only_and_keeps_what_it_acknowledged() {
    let scratch = Scratch::new();
    let state_dir = scratch.claim();
    let postgres = start(&state_dir);
    assert_eq!(postgres.origin(), Origin::Initialised);
    assert_eq!(ask(&postgres, "show listen_addresses"), "");
    assert_eq!(ask(&postgres, "show data_checksums"), "on");
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        assert_eq!(ask(&postgres, &format!("show {setting}")), "on", "{setting}");
    }
    assert_eq!(ask(&postgres, "select type || ' ' || auth_method from pg_hba_file_rules"), "local peer");
    let mode = fs::metadata(scratch.pg().join("sock")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "only the owner and root reach the socket");
}

#[test]
fn stopping_ends_it_and_the_next_start_finds_its_data() {
    let scratch = Scratch::new();
    let state_dir = scratch.claim();
    let postgres = start(&state_dir);
    ask(&postgres, "create table kept as select 42 as n");
    let first = pid(&postgres);
    postgres.stop().expect("it stops");
    assert!(!is_running(first), "process {first} is gone when stop returns");
    let error = postgres.ensure_running().expect_err("whoever watches it may not start it again");
    assert!(matches!(error, PrivateError::Stopped), "{error:?}");
    postgres.stop().expect("it is stopped");
    assert!(!scratch.pg().join("data/postmaster.pid").exists(), "it was shut down in order");

    let postgres = start(&state_dir);
    assert_eq!(postgres.origin(), Origin::Started);
    assert_eq!(ask(&postgres, "select n from kept"), "42");
}

#[test]
fn a_daemon_that_is_killed_leaves_it_running_and_the_next_adopts_it() {
    let scratch = Scratch::new();
    let mut holder = Holder::start(&scratch.state());
    let held = holder.postmaster();
    holder.kill();
    assert!(is_running(held), "it outlives a daemon that had no time to stop it");

    let state_dir = scratch.claim();
    let postgres = start(&state_dir);
    assert_eq!((postgres.origin(), pid(&postgres)), (Origin::Adopted, held));
    postgres.stop().expect("an adopted one stops too");
    assert!(!is_running(held));
}

#[test]
fn a_second_daemon_on_the_same_directory_is_refused_by_path_and_process_number() {
    let scratch = Scratch::new();
    let _first = scratch.claim();
    let error = StateDir::claim(&scratch.state()).expect_err("it is taken");
    assert!(matches!(error, StateDirError::Taken { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&scratch.state().display().to_string()), "{text}");
    assert!(text.contains(&format!("(pid {})", std::process::id())), "{text}");
}

#[test]
fn the_directory_is_free_again_when_its_daemon_was_killed() {
    let scratch = Scratch::new();
    let mut holder = Holder::start(&scratch.state());
    StateDir::claim(&scratch.state()).expect_err("the holder has it");
    holder.kill();
    StateDir::claim(&scratch.state()).expect("neither it nor what it started has it any more");
}

/// Kills a daemon in the middle of its first start; gives what it left.
fn interrupted_initdb() -> (Scratch, Vec<PathBuf>) {
    loop {
        let scratch = Scratch::new();
        let mut holder = Holder::begin(&scratch.state());
        let begun = || {
            let entries = fs::read_dir(scratch.pg()).into_iter().flatten().flatten().map(|entry| entry.path());
            let left: Vec<_> = entries.filter(|path| path.to_string_lossy().contains("data.new-")).collect();
            left.iter().any(|path| path.join("PG_VERSION").exists()).then_some(left)
        };
        let left = until(begun, || "initdb does not begin");
        holder.kill();
        // On a busy machine it may have been faster than we were.
        if !scratch.pg().join("data").exists() {
            return (scratch, left);
        }
    }
}

#[test]
fn a_daemon_killed_during_initdb_leaves_nothing_that_the_next_stumbles_over() {
    let (scratch, left) = interrupted_initdb();

    let state_dir = scratch.claim();
    let postgres = start(&state_dir);
    assert_eq!(postgres.origin(), Origin::Initialised);
    assert_eq!(ask(&postgres, "select 1"), "1");
    drop(postgres);
    // What the orphaned initdb wrote meanwhile goes at the latest now.
    for path in left {
        let removed = || (fs::remove_dir_all(&path).is_ok() || !path.exists()).then_some(());
        until(removed, || format!("{} is still written to", path.display()));
    }
}

#[test]
fn a_half_finished_data_directory_of_an_earlier_run_is_removed() {
    let scratch = Scratch::new();
    let state_dir = scratch.claim();
    let left = scratch.pg().join("data.new-abc123");
    fs::create_dir_all(left.join("base")).expect("it can be made");
    fs::write(left.join("PG_VERSION"), "15\n").expect("it can be written");
    let postgres = start(&state_dir);
    assert_eq!(ask(&postgres, "select 1"), "1");
    assert!(!left.exists());
}

#[test]
fn a_data_directory_that_we_did_not_complete_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    let state_dir = scratch.claim();
    let data = scratch.pg().join("data");
    fs::create_dir_all(&data).expect("it can be made");
    fs::write(data.join("PG_VERSION"), "15\n").expect("it can be written");
    let error = PrivatePostgres::start(&state_dir, None).expect_err("it is not ours");
    assert!(matches!(&error, PrivateError::Foreign { data: named } if *named == data), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains(&data.display().to_string())), "{error:?}");
    let left: Vec<_> = fs::read_dir(&data).expect("it is there").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["PG_VERSION"]);
}

#[test]
fn a_postmaster_that_is_killed_is_started_again_with_what_was_committed() {
    let scratch = Scratch::new();
    let state_dir = scratch.claim();
    let postgres = start(&state_dir);
    ask(&postgres, "create table kept as select 42 as n");
    assert_eq!(postgres.ensure_running().expect("it runs"), BroughtUp::Found);
    for _ in 0..3 {
        let before = pid(&postgres);
        // Its children notice only later, and hold its memory until then.
        kill(before);
        until(|| (!is_running(before)).then_some(()), || format!("process {before} lives"));
        assert_eq!(postgres.ensure_running().expect("it starts again"), BroughtUp::Started);
        assert_ne!(pid(&postgres), before);
        assert_eq!(ask(&postgres, "select n from kept"), "42");
    }
}

#[test]
fn lock_files_that_name_a_process_of_somebody_else_do_not_hold_a_start_up() {
    let scratch = Scratch::new();
    let state_dir = scratch.claim();
    let postgres = start(&state_dir);
    let before = pid(&postgres);
    let lock_files = [scratch.pg().join("data/postmaster.pid"), scratch.pg().join("sock/.s.PGSQL.5432.lock")];
    let texts = lock_files.each_ref().map(|file| fs::read_to_string(file).expect("a running server has it"));
    kill(before);
    until(|| (!is_running(before)).then_some(()), || format!("process {before} lives"));
    let mut other = std::process::Command::new("sleep").arg("600").spawn().expect("sleep runs");
    for (file, text) in lock_files.iter().zip(texts) {
        fs::write(file, text.replacen(&before.to_string(), &other.id().to_string(), 1)).expect("it can be written");
    }

    let outcome = postgres.ensure_running();
    other.kill().and_then(|()| other.wait()).expect("sleep is ours");
    assert_eq!(outcome.expect("it starts"), BroughtUp::Started);
}

#[test]
fn a_signal_from_the_terminal_is_for_the_daemon_alone() {
    let scratch = Scratch::new();
    let state_dir = scratch.claim();
    let postgres = start(&state_dir);
    let group = rustix::process::getpgid(Pid::from_raw(pid(&postgres))).expect("it runs");
    assert_eq!(Some(group), Pid::from_raw(pid(&postgres)), "it leads a process group of its own");
}

#[test]
fn missing_programs_are_told_with_where_we_looked_and_what_to_do_before_anything_is_made() {
    let scratch = Scratch::new();
    let state_dir = scratch.claim();
    let empty = scratch.path.join("bin");
    fs::create_dir(&empty).expect("it can be made");
    let error = PrivatePostgres::start(&state_dir, Some(&empty)).expect_err("nothing is there");
    assert!(matches!(error, PrivateError::NoPrograms { .. }), "{error:?}");
    assert!(error.to_string().contains(&empty.display().to_string()), "{error}");
    let hint = error.hint().expect("there is much to do");
    for way_out in ["apt-get install postgresql", "database.bin_dir", "postgres://"] {
        assert!(hint.contains(way_out), "{hint}");
    }
    assert!(!scratch.pg().exists());
}

#[test]
fn a_path_too_long_for_a_socket_is_named_before_anything_is_made() {
    let scratch = Scratch::new();
    let long = scratch.path.join("x".repeat(90));
    let state_dir = StateDir::claim(&long).expect("a directory may be that long");
    let error = PrivatePostgres::start(&state_dir, None).expect_err("no socket may be");
    let PrivateError::SocketPath { path, length } = &error else { panic!("{error:?}") };
    assert!(path.starts_with(&long) && *length == path.as_os_str().len() && *length > 107, "{error}");
    assert!(error.to_string().contains("107"), "{error}");
    assert!(!long.join("pg").exists());
}

#[test]
fn the_longest_path_that_a_socket_may_have_works() {
    let scratch = Scratch::new();
    let socket = "/pg/sock/.s.PGSQL.5432".len();
    let length = 107 - socket - scratch.path.as_os_str().len() - "/".len();
    let state_dir = StateDir::claim(&scratch.path.join("y".repeat(length))).expect("it can be made");
    // Beside the directory that the guardian knows: stopped by being dropped.
    assert_eq!(ask(&start(&state_dir), "select 1"), "1");
}

#[test]
fn a_directory_with_strange_letters_works() {
    let scratch = Scratch::new();
    let state_dir = StateDir::claim(&scratch.path.join("it's \"a\", b\\c é")).expect("it can be made");
    assert_eq!(ask(&start(&state_dir), "select 1"), "1");
}

#[test]
fn a_server_that_does_not_start_is_quoted() {
    let scratch = Scratch::new();
    let state_dir = scratch.claim();
    let error = PrivatePostgres::start_with(&state_dir, None, &[("shared_buffers", "plenty")]).expect_err("no number");
    let PrivateError::Ended { log, tail, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*log, scratch.pg().join("postgres.log"));
    assert!(tail.contains(r#"invalid value for parameter "shared_buffers": "plenty""#), "{error}");
}

#[test]
fn a_data_directory_of_another_version_is_refused_with_both() {
    let scratch = Scratch::new();
    let state_dir = scratch.claim();
    drop(start(&state_dir));
    fs::write(scratch.pg().join("data/PG_VERSION"), "9\n").expect("it can be written");
    let error = PrivatePostgres::start(&state_dir, None).expect_err("nobody has that one any more");
    let PrivateError::OtherVersion { made_by, found } = &error else { panic!("{error:?}") };
    assert_eq!(made_by, "9");
    assert!(!found.is_empty() && found.iter().all(|version| version.parse::<u32>().is_ok()), "{error}");
}

/// Where the programs of the machine are: for tests that give them in another way.
fn installed() -> PathBuf {
    let mut directories: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed")
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|directory| directory.join("initdb").exists())
        .collect();
    directories.sort();
    directories.pop().expect("PostgreSQL is installed")
}

#[test]
fn bin_dir_is_where_the_programs_are_taken_from() {
    let scratch = Scratch::new();
    let state_dir = scratch.claim();
    let bin_dir = installed();
    let postgres = PrivatePostgres::start(&state_dir, Some(&bin_dir)).expect("they are there");
    let program = fs::read_link(Path::new("/proc").join(pid(&postgres).to_string()).join("exe")).expect("it runs");
    assert_eq!(program, bin_dir.join("postgres"));
}
