//! What is so only when root starts it. As an ordinary user there is nothing here to see, and the tests say so.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use retcon::store::private::{PrivateError, PrivatePostgres};
use retcon::store::state_dir::StateDir;

use super::holder::Holder;
use super::{Scratch, pid, start};

/// The users that PostgreSQL may run as, by name and number.
fn user(name: &str) -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").expect("it can be read");
    let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
    let columns: Vec<_> = line.split(':').collect();
    Some((columns[2].parse().expect("a number"), columns[3].parse().expect("a number")))
}

fn is_root(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("not root: {what} cannot be seen");
    }
    root
}

#[test]
fn it_runs_as_another_user_with_none_of_our_groups() {
    if !is_root("how it runs as another user") {
        return;
    }
    let scratch = Scratch::new();
    let state_dir = scratch.claim();
    let postgres = start(&state_dir);
    let status = fs::read_to_string(format!("/proc/{}/status", pid(&postgres))).expect("it runs");
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).expect("it is there").trim();
    let (uid, gid) = user("postgres").or_else(|| user("nobody")).expect("one of them is there");
    assert_eq!(line("Uid:"), vec![uid.to_string(); 4].join("\t"));
    assert_eq!(line("Gid:"), vec![gid.to_string(); 4].join("\t"));
    assert_eq!(line("Groups:"), "");
    for (path, owner) in [("", 0), ("/postgresql.conf", 0), ("/pg_hba.conf", 0), ("/data", uid), ("/sock", uid)] {
        let path = format!("{}{path}", scratch.pg().display());
        assert_eq!(fs::metadata(&path).expect("it is there").uid(), owner, "{path}");
    }
}

#[test]
fn a_closed_parent_directory_is_named_with_the_user_and_a_way_out_before_anything_is_made() {
    if !is_root("a directory closed to another user") {
        return;
    }
    let scratch = Scratch::new();
    let closed = scratch.path.join("closed");
    fs::create_dir(&closed).expect("it can be made");
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).expect("it is ours");
    let state_dir = StateDir::claim(&closed.join("deeper/state")).expect("root can make it");
    let error = PrivatePostgres::start(&state_dir, None).expect_err("PostgreSQL cannot pass there");
    let PrivateError::Closed { directory, user } = &error else { panic!("{error:?}") };
    assert_eq!(*directory, closed);
    let text = format!("{error}; {}", error.hint().expect("there is a way out"));
    for word in [user.as_str(), &closed.display().to_string(), "server.state_dir", "chmod o+x"] {
        assert!(text.contains(word), "{text}");
    }
    assert!(!state_dir.path().join("pg").exists());

    fs::set_permissions(&closed, Permissions::from_mode(0o711)).expect("it is ours");
    PrivatePostgres::start(&state_dir, None).expect("the way that the hint names works").stop().expect("it stops");
}

#[test]
fn a_directory_that_is_open_to_the_group_alone_is_open_enough() {
    if !is_root("a directory open to another group") {
        return;
    }
    let scratch = Scratch::new();
    let closed = scratch.path.join("closed");
    fs::create_dir(&closed).expect("it can be made");
    fs::set_permissions(&closed, Permissions::from_mode(0o710)).expect("it is ours");
    // The check asks the kernel, so that access control lists count like this group.
    let (_, gid) = user("postgres").or_else(|| user("nobody")).expect("one of them is there");
    chown(&closed, None, Some(gid)).expect("we are root");
    let state_dir = StateDir::claim(&closed.join("state")).expect("root can make it");
    PrivatePostgres::start(&state_dir, None).expect("its group may pass").stop().expect("it stops");
}

#[test]
fn a_directory_that_an_ordinary_user_made_is_not_written_to_by_root() {
    if !is_root("a directory of somebody else") {
        return;
    }
    let scratch = Scratch::new();
    let state_dir = scratch.claim();
    fs::create_dir(scratch.pg()).expect("it can be made");
    chown(scratch.pg(), Some(65534), Some(65534)).expect("we are root");
    let error = PrivatePostgres::start(&state_dir, None).expect_err("its owner could lead us astray by a link");
    assert!(matches!(&error, PrivateError::OtherOwner { owner: 65534, us: 0, .. }), "{error:?}");
    assert_eq!(fs::read_dir(scratch.pg()).expect("it is there").count(), 0);
}

#[test]
fn the_umask_decides_nothing() {
    for umask in ["0077", "0000"] {
        let scratch = Scratch::new();
        Holder::with_umask(umask, &scratch.state()).postmaster();
        let mode = |path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        let way = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
        assert_eq!((mode(scratch.state()), mode(scratch.pg())), (way, way), "umask {umask}");
        assert_eq!(mode(scratch.pg().join("data")), 0o700, "umask {umask}");
        assert_eq!(mode(scratch.state().join("retcond.lock")), 0o600, "umask {umask}");
    }
}

#[test]
fn an_ordinary_user_finds_it_just_so() {
    if !is_root("what another user finds") {
        return;
    }
    let scratch = Scratch::new();
    // Where this binary is may be closed to the other user.
    let copy = scratch.path.join("it");
    fs::copy(std::env::current_exe().expect("this runs"), &copy).expect("it can be copied");
    let (uid, gid) = user("nobody").expect("there is one everywhere");
    let run = Command::new(&copy)
        .args(["private_postgres::", "--test-threads", "2"])
        .current_dir("/")
        .uid(uid)
        .gid(gid)
        .output()
        .expect("it runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{}\n{stdout}\n{stderr}", run.status);
    assert!(stdout.contains("0 failed") && !stdout.contains(" 0 passed"), "{stdout}");
}
