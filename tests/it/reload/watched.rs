//! The watched file: whatever becomes of it, what it says is in force as soon as it rests.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use super::{APPLIED, REJECTED, count, edit, rate, read, replace, wait_for, wait_for_rate, with_rate};
use crate::support::daemon::Daemon;
use crate::support::site::Site;
use crate::support::wait::until;

const CHANGED: &str = "configuration file changed";

/// A site whose file is watched.
fn site() -> Site {
    let site = super::site();
    edit(&site, "reload.watch = false\n", "");
    site
}

/// Waits until so many reloads were rejected.
#[track_caller]
fn wait_until_rejected(daemon: &Daemon<'_>, times: usize) {
    until(|| (count(daemon, REJECTED) == times).then_some(()), || daemon.log_text());
}

#[test]
fn a_file_that_is_written_replaced_or_renamed_over_is_applied() {
    let site = site();
    let daemon = site.start();
    let text = read(&site);
    site.write("retcon.toml", &with_rate(&text, 2));
    wait_for_rate(&site, &daemon, 2);
    replace(&site, &with_rate(&text, 3));
    wait_for_rate(&site, &daemon, 3);
    // As vim does it: the old one aside, a new one in its place.
    fs::rename(site.path().join("retcon.toml"), site.path().join("retcon.toml~")).expect("a file");
    site.write("retcon.toml", &with_rate(&text, 4));
    wait_for_rate(&site, &daemon, 4);
    daemon.stop();
}

#[test]
fn a_file_that_goes_is_rejected_and_read_when_it_returns() {
    let site = site();
    let daemon = site.start();
    let file = site.path().join("retcon.toml");
    let aside = site.path().join("aside.toml");
    let text = read(&site);
    fs::rename(&file, &aside).expect("a file");
    wait_until_rejected(&daemon, 1);
    assert_eq!(rate(&site), 1);
    site.write("aside.toml", &with_rate(&text, 2));
    fs::rename(&aside, &file).expect("a file");
    wait_for_rate(&site, &daemon, 2);
    fs::remove_file(&file).expect("a file");
    wait_until_rejected(&daemon, 2);
    assert_eq!(rate(&site), 2);
    assert_eq!(site.get("/v1/status")["config"]["state"], "rejected");
    site.write("retcon.toml", &with_rate(&text, 3));
    wait_for_rate(&site, &daemon, 3);
    assert_eq!(site.get("/v1/status")["config"]["state"], "applied");
    daemon.stop();
}

#[test]
fn a_broken_file_is_rejected_once_and_other_files_beside_it_cause_nothing() {
    let site = site();
    let daemon = site.start();
    let text = read(&site);
    site.write("retcon.toml", &format!("{text}\nfrob = 1\n"));
    wait_until_rejected(&daemon, 1);
    for number in 0..20 {
        site.write("notes.txt", &number.to_string());
        // The same bytes once more.
        site.write("retcon.toml.same", &read(&site));
        fs::rename(site.path().join("retcon.toml.same"), site.path().join("retcon.toml")).expect("a file");
    }
    site.write("retcon.toml", &with_rate(&text, 2));
    wait_for_rate(&site, &daemon, 2);
    assert_eq!((count(&daemon, REJECTED), count(&daemon, CHANGED)), (1, 2), "{}", daemon.log_text());
    daemon.stop();
}

#[test]
fn a_file_that_is_being_written_is_not_taken_for_whole() {
    let site = site();
    let daemon = site.start();
    let text = read(&site);
    for rate in 2..=21 {
        let before = count(&daemon, APPLIED);
        let longest = write_slowly(&site, &with_rate(&text, rate));
        wait_for_rate(&site, &daemon, rate.into());
        if longest < Duration::from_millis(200) {
            // It is in force a moment before it is in the log.
            until(|| (count(&daemon, APPLIED) > before).then_some(()), || daemon.log_text());
            assert_eq!((count(&daemon, APPLIED), count(&daemon, REJECTED)), (before + 1, 0), "{}", daemon.log_text());
            daemon.stop();
            return;
        }
        // The writer was held up for as long as one may be who is done: that run says nothing.
    }
    panic!("this machine is too busy to write a file");
}

/// Writes the configuration in place, in many steps; gives the longest pause between two of them. For most of the time the file
/// is a good configuration, without its last source.
fn write_slowly(site: &Site, text: &str) -> Duration {
    let (first, rest) = text.split_at(text.find("[entities.customer.sources.billing]").expect("it is there"));
    let mut file = fs::File::create(site.path().join("retcon.toml")).expect("a file");
    file.write_all(first.as_bytes()).expect("a file");
    let (mut steps, mut longest, mut last) = (0, Duration::ZERO, Instant::now());
    let mut step = |bytes: &[u8]| {
        file.write_all(bytes).expect("a file");
        longest = longest.max(last.elapsed());
        last = Instant::now();
        steps += 1;
        (steps == 100).then_some(())
    };
    until(|| step(b"#\n"), || "the steps are counted");
    step(rest.as_bytes());
    longest
}

#[test]
fn a_volume_whose_link_is_swapped_is_applied() {
    let site = site();
    let text = read(&site);
    for (volume, rate) in [("..1", 1), ("..2", 2)] {
        fs::create_dir(site.path().join(volume)).expect("a directory");
        site.write(&format!("{volume}/retcon.toml"), &with_rate(&text, rate));
    }
    let lay = |link: &str, target: &str| {
        let fresh = site.path().join("fresh");
        symlink(target, &fresh).expect("a link");
        fs::rename(fresh, site.path().join(link)).expect("a link");
    };
    lay("..data", "..1");
    lay("retcon.toml", "..data/retcon.toml");
    let daemon = site.start();
    lay("..data", "..2");
    wait_for_rate(&site, &daemon, 2);
    // And within the volume, too.
    site.write("..2/retcon.toml", &with_rate(&text, 3));
    wait_for_rate(&site, &daemon, 3);
    daemon.stop();
}

#[test]
fn a_directory_that_is_replaced_or_made_anew_is_watched_again() {
    let site = site();
    let text = read(&site);
    let make = |directory: &str, rate: u32| {
        fs::create_dir(site.path().join(directory)).expect("a directory");
        site.write(&format!("{directory}/retcon.toml"), &with_rate(&text, rate));
    };
    let rename = |from: &str, to: &str| fs::rename(site.path().join(from), site.path().join(to)).expect("a directory");
    make("conf", 1);
    fs::remove_file(site.path().join("retcon.toml")).expect("a file");
    symlink("conf/retcon.toml", site.path().join("retcon.toml")).expect("a link");
    let daemon = site.start();
    make("conf.new", 2);
    rename("conf", "conf.old");
    rename("conf.new", "conf");
    wait_for_rate(&site, &daemon, 2);
    fs::remove_dir_all(site.path().join("conf")).expect("a directory");
    until(|| (site.get("/v1/status")["config"]["state"] == "rejected").then_some(()), || daemon.log_text());
    assert_eq!(rate(&site), 2);
    make("conf", 3);
    wait_for_rate(&site, &daemon, 3);
    site.write("conf/retcon.toml", &with_rate(&text, 4));
    wait_for_rate(&site, &daemon, 4);
    daemon.stop();
}

#[test]
fn a_schema_that_changes_is_a_configuration_that_changes() {
    let site = site();
    fs::create_dir(site.path().join("schemas")).expect("a directory");
    edit(&site, "[entities.customer]\n", "[entities.customer]\nschema = \"schemas/customer.json\"\n");
    site.write("schemas/customer.json", "{}");
    let daemon = site.start();
    site.write("schemas/customer.json", r#"{"type": "object"}"#);
    let applied = wait_for(&daemon, APPLIED);
    assert_eq!(applied["changes"], "entities.customer: schema changed", "{applied}");
    site.write("schemas/customer.json", "{");
    wait_until_rejected(&daemon, 1);
    site.write("schemas/customer.json", "{}");
    until(|| (count(&daemon, APPLIED) == 2).then_some(()), || daemon.log_text());
    daemon.stop();
}

#[test]
fn watching_ends_and_begins_with_its_setting() {
    let site = site();
    let daemon = site.start();
    edit(&site, "[server]", "[reload]\nwatch = false\n[server]");
    let applied = wait_for(&daemon, APPLIED);
    assert_eq!(applied["changes"], "reload.watch: changed", "{applied}");
    edit(&site, "rate = 1 ", "rate = 2 ");
    edit(&site, "watch = false", "watch = true");
    // Nobody has seen it: so it is all new to the reload that is asked for.
    let run = site.retcon(&["reload"]).exits(0);
    assert_eq!(run.stdout(), "reload.watch: changed\nentities.customer: throttle changed\n");
    assert_eq!(count(&daemon, CHANGED), 1, "{}", daemon.log_text());
    edit(&site, "rate = 2 ", "rate = 3 ");
    wait_for_rate(&site, &daemon, 3);
    daemon.stop();
}
