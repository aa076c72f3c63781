//! The watched files: asks for a reload when the configuration, or a JSON Schema of it, holds something else than was read.
//!
//! The directories are watched, and not the files: editors and Kubernetes replace files, by a rename or by another link. An
//! event says only that it is time to look; what counts is what the files hold. So whatever else happens in these directories
//! has no effect, and a file that is broken is read once.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::Addr;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use slog::{Logger, info, warn};
use tokio::io::unix::AsyncFd;

use super::super::lock::whole;
use super::{Means, Reload, Reloader, aside};
use crate::config::Inputs;
use crate::log::{chain, key};

/// How long the files must hold the same: whoever writes one in several steps is not interrupted.
const QUIET: Duration = Duration::from_millis(250);
/// From an event to the look: events come in crowds, and a log in the same directory brings forth many.
const LULL: Duration = Duration::from_millis(50);
/// How long until a reload that failed is asked for again.
const AGAIN: Duration = Duration::from_secs(5);
/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// What makes files hold something else, or lets them be read. To open, read or run what lies beside them is none of it: the kernel
/// does not even tell of it, since programs of sources that lie there are run all the time.
const TELLING: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// Asks for a reload whenever the files have changed, as long as `reload.watch` is in force.
pub(super) async fn keep(means: Arc<Means>, reloader: Addr<Reloader>) {
    let (mut in_force, mut inputs) = (means.in_force.subscribe(), means.inputs.subscribe());
    let mut eyes: Option<Eyes> = None;
    loop {
        // What the system had no room for may have room since.
        eyes = eyes.filter(Eyes::can_see);
        let is_wanted = in_force.borrow_and_update().reload.watch;
        let read = inputs.borrow_and_update().clone();
        let change = async {
            if is_wanted {
                eyes.get_or_insert_with(|| Eyes::open(&means.log)).see_change(&read).await;
            } else {
                eyes = None;
                std::future::pending().await
            }
        };
        tokio::select! {
            // Those who send are among the means.
            _ = in_force.changed() => {}
            _ = inputs.changed() => {}
            () = change => {
                info!(means.log, "configuration file changed");
                if !matches!(reloader.send(Reload).await, Ok(Ok(_))) {
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

/// What sees the files change.
struct Eyes(Arc<Watch>);

/// The directories that are watched, by inotify(7).
struct Watch {
    /// `None`: the system watches nothing more for us.
    inotify: Option<AsyncFd<OwnedFd>>,
    watched: Mutex<Watched>,
    log: Logger,
}

#[derive(Default)]
struct Watched {
    /// The watches of the directories.
    watches: BTreeSet<i32>,
    /// The directories that cannot be watched, of which that was said.
    failed: BTreeSet<PathBuf>,
}

impl Eyes {
    fn open(log: &Logger) -> Self {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(io::Error::from);
        // SAFETY: the descriptor is owned by what it is registered with, which neither closes it before nor puts another in its place.
        let registered = inotify.and_then(|inotify| unsafe { Ok(AsyncFd::register(inotify)?) });
        let inotify = registered.inspect_err(|error| {
            warn!(log, "configuration file cannot be watched"; key::ERROR => chain(error));
        });
        Self(Arc::new(Watch { inotify: inotify.ok(), watched: Mutex::default(), log: log.clone() }))
    }

    fn can_see(&self) -> bool {
        self.0.inotify.is_some()
    }

    /// Waits until the files hold something else than `read`, and have done so for a moment. May be given up at any time.
    async fn see_change(&self, read: &Inputs) {
        loop {
            let mut seen = self.look(read).await;
            while seen != *read {
                tokio::time::sleep(QUIET).await;
                let again = self.look(read).await;
                if again == seen {
                    return;
                }
                seen = again;
            }
            self.0.something_happens().await;
            tokio::time::sleep(LULL).await;
        }
    }

    /// Returns what the files hold; what happens from now on is told.
    async fn look(&self, read: &Inputs) -> Inputs {
        let (watch, read) = (Arc::clone(&self.0), read.clone());
        aside(move || {
            watch.follow(&read);
            read.read_again()
        })
        .await
    }
}

impl Watch {
    /// Watches the directories of these files, and no others. What has happened before is forgotten.
    fn follow(&self, files: &Inputs) {
        let Some(inotify) = &self.inotify else { return };
        let mut watched = whole(&self.watched);
        let mut watches = BTreeSet::new();
        // Those that are watched already, too: another directory may have taken the place of one.
        for directory in files.paths().flat_map(directories).collect::<BTreeSet<_>>() {
            match inotify::add_watch(inotify, &directory, TELLING | WatchFlags::ONLYDIR) {
                Ok(watch) => {
                    watches.insert(watch);
                    watched.failed.remove(&directory);
                }
                Err(error) if watched.failed.insert(directory.clone()) => {
                    warn!(self.log, "configuration file cannot be watched"; "directory" => %directory.display(),
                        key::ERROR => chain(&io::Error::from(error)));
                }
                Err(_) => {}
            }
        }
        for former in watched.watches.difference(&watches) {
            // Its directory may be gone, and it with that.
            let _ = inotify::remove_watch(inotify, *former);
        }
        watched.watches = watches;
        forget(inotify);
    }

    /// Waits for something to happen; for ever where nothing is watched.
    async fn something_happens(&self) {
        let Some(inotify) = &self.inotify else { return std::future::pending().await };
        // An error of its driver comes with the end of the runtime alone.
        if let Ok(mut ready) = inotify.readable().await {
            ready.clear_ready();
        }
    }
}

/// Takes what is told of so far, without a look at it: what counts is what the files hold.
fn forget(inotify: &AsyncFd<OwnedFd>) {
    let mut events = [0; 4096];
    while rustix::io::read(inotify, &mut events).is_ok_and(|read| read > 0) {}
}

/// Returns the directories in which something happens when a path comes to lead to another file or to other bytes: that of the
/// file, and that of each link on the way there. One that is not there is stood for by the nearest above it that is.
fn directories(path: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut here = PathBuf::from("/");
    let mut rest = names(path);
    let mut links = 0;
    while let Some(name) = rest.pop() {
        if name == ".." {
            here.pop();
            continue;
        }
        let next = here.join(name);
        match std::fs::read_link(&next) {
            Ok(target) if links < MOST_LINKS => {
                links += 1;
                found.insert(here.clone());
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                rest.extend(names(&target));
            }
            Ok(_) | Err(_) => here = next,
        }
    }
    found.extend(here.ancestors().skip(1).find(|directory| directory.is_dir()).map(Path::to_owned));
    found
}

/// Returns the names of which a path is made, the last one first.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    use slog::{Discard, Logger, o};

    use super::{Eyes, Inputs, directories};

    /// The directories for `retcon.toml` in a directory that `make` has filled, relative to it.
    #[track_caller]
    fn check(make: impl FnOnce(&Path), expected: &[&str]) {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let root = directory.path().canonicalize().expect("it is there");
        make(&root);
        let expected: BTreeSet<PathBuf> = expected.iter().map(|name| root.join(name).components().collect()).collect();
        assert_eq!(directories(&root.join("etc/retcon.toml")), expected);
    }

    fn file(path: PathBuf) {
        fs::create_dir_all(path.parent().expect("it has one")).expect("a directory can be made");
        fs::write(path, "").expect("a file can be written");
    }

    #[test]
    fn a_plain_file_has_its_own_directory() {
        check(|root| file(root.join("etc/retcon.toml")), &["etc"]);
    }

    #[test]
    fn a_file_that_is_not_there_has_the_nearest_directory() {
        check(|root| fs::create_dir(root.join("etc")).expect("a directory can be made"), &["etc"]);
        check(|_| {}, &["."]);
    }

    #[test]
    fn each_link_on_the_way_has_its_directory() {
        // As Kubernetes lays a volume out.
        let volume = |root: &Path| {
            file(root.join("etc/..2026/retcon.toml"));
            symlink("..2026", root.join("etc/..data")).expect("a link can be made");
            symlink("..data/retcon.toml", root.join("etc/retcon.toml")).expect("a link can be made");
        };
        check(volume, &["etc", "etc/..2026"]);
        let elsewhere = |root: &Path| {
            file(root.join("releases/2/retcon.toml"));
            fs::create_dir(root.join("home")).expect("a directory can be made");
            symlink(root.join("releases/2"), root.join("home/current")).expect("a link can be made");
            symlink("home/../home/current", root.join("etc")).expect("a link can be made");
        };
        check(elsewhere, &[".", "home", "releases/2"]);
    }

    #[test]
    fn links_in_a_circle_come_to_an_end() {
        let circle = |root: &Path| {
            fs::create_dir(root.join("etc")).expect("a directory can be made");
            symlink("retcon.toml", root.join("etc/retcon.toml")).expect("a link can be made");
        };
        check(circle, &["etc"]);
    }

    #[tokio::test]
    async fn what_changes_no_file_is_not_even_told() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let (config, program) = (directory.path().join("retcon.toml"), directory.path().join("source"));
        fs::write(&config, "").expect("a file can be written");
        fs::write(&program, "").expect("a file can be written");
        let mut inputs = Inputs::default();
        inputs.read(&config).expect("it is there");
        let eyes = Eyes::open(&Logger::root(Discard, o!()));
        let is_told = || {
            let inotify = eyes.0.inotify.as_ref().expect("it can be watched");
            rustix::io::read(inotify, &mut [0; 4096]).is_ok()
        };

        eyes.look(&inputs).await;
        assert!(!is_told(), "it was there before");
        // As when it is run.
        fs::read(&program).expect("it is there");
        assert!(!is_told(), "to read a file is no change");
        fs::write(&config, "a = 1").expect("a file can be written");
        assert!(is_told());
        fs::write(directory.path().join("new"), "").expect("a file can be written");
        fs::rename(directory.path().join("new"), &config).expect("a file can be renamed");
        assert!(is_told());
        fs::remove_file(&config).expect("it is there");
        assert!(is_told());
    }
}
