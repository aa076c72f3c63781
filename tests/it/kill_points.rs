//! A daemon that is killed at a named point, wherever that is: the next one goes on, nothing is lost, and nothing is done twice.

mod play;

use std::collections::BTreeSet;
use std::process::Stdio;

use rstest::rstest;

use crate::support::chaos::retcond_chaos;
use crate::support::daemon::Daemon;
use crate::support::program::{program, run};
use crate::support::site::Site;
use crate::support::system::Language;
use play::{Death, play};

/// How often each point is passed, at most, before the daemon is killed there; `RETCON_KILL_TIMES` says otherwise.
const TIMES: usize = 3;

/// Every point, with those at which daemons before it have to die for it to be reached.
const POINTS: [(&str, &[&str]); 18] = [
    ("recovered", &[]),
    ("notified", &[]),
    ("ordered", &[]),
    ("claimed", &[]),
    ("introduced", &[]),
    ("read", &[]),
    ("searched", &["ran:1"]),
    ("adopted", &["ran:1"]),
    ("deciding", &[]),
    ("decided", &[]),
    ("starting", &[]),
    ("started", &[]),
    ("spawned", &[]),
    ("ran", &[]),
    ("recorded", &[]),
    ("finished", &[]),
    ("reloaded", &[]),
    ("stopping", &[]),
];

#[rstest]
fn whoever_is_killed_at_a_point_leaves_nothing_undone_and_nothing_to_be_done_twice(
    #[values(
        "recovered",
        "notified",
        "ordered",
        "claimed",
        "introduced",
        "read",
        "searched",
        "adopted",
        "deciding",
        "decided",
        "starting",
        "started",
        "spawned",
        "ran",
        "recorded",
        "finished",
        "reloaded",
        "stopping"
    )]
    point: &str,
) {
    let (_, before) = POINTS.iter().find(|(name, _)| *name == point).expect("it is in the table");
    let times = std::env::var("RETCON_KILL_TIMES").map_or(TIMES, |times| times.parse().expect("a number"));
    for time in 1..=times {
        let wanted = format!("{point}:{time}");
        let ends: Vec<&str> = before.iter().copied().chain([wanted.as_str()]).collect();
        let came = play(&ends);
        println!("{wanted:<14} {came}");
        if came.death == Death::Never {
            assert!(time > 1, "no daemon ever came to {point}");
            break;
        }
    }
}

#[test]
fn every_point_is_one_at_which_a_daemon_is_killed() {
    let listed = run(retcond_chaos(&[]).arg("--kill-points"), b"").exits(0).stdout();
    let listed: BTreeSet<&str> = listed.lines().filter_map(|line| line.strip_prefix("point ")).collect();
    assert_eq!(listed, POINTS.iter().map(|(name, _)| *name).collect());
}

#[test]
fn a_point_or_a_mistake_that_there_is_not_is_refused_with_the_list() {
    for environment in [("RETCON_KILL_AT", "decide"), ("RETCON_KILL_AT", "decided:0"), ("RETCON_PLANT", "decided")] {
        let run = run(&mut retcond_chaos(&[environment]), b"").exits(2);
        run.complains_of(environment.1).complains_of("point decided\n").complains_of("mistake no-intent\n");
    }
}

#[test]
fn a_daemon_that_is_delivered_knows_no_points() {
    let site = Site::new(&[Language::C.source("crm"), Language::C.source("billing")]);
    let mut command = program(env!("CARGO_BIN_EXE_retcond"));
    command.envs([("RETCON_KILL_AT", "claimed"), ("RETCON_PLANT", "no-intent")]);
    let mut daemon = Daemon::spawn_by(&site, command);
    daemon.wait_until_ready();
    site.system("crm").put("1", r#"{"name":"Ann"}"#);
    site.notify("crm", "1");
    assert_eq!(site.system("billing").documents(), [r#"{"name":"Ann"}"#]);
    daemon.stop();
    let mut asked = program(env!("CARGO_BIN_EXE_retcond"));
    run(asked.arg("--kill-points").stdin(Stdio::null()), b"").exits(2);
}
