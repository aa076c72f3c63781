//! The watch over the files of a configuration: inotify(7) on their directories.
//!
//! The directories are watched, and not the files: editors and Kubernetes replace files, by a rename or by another link.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::Inputs;

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

/// What is told of the directories of files. Its descriptor can be read once something has happened there.
pub struct InputsWatch {
    inotify: OwnedFd,
    watches: Mutex<BTreeSet<i32>>,
}

impl InputsWatch {
    /// Makes one that watches nothing yet.
    ///
    /// # Errors
    /// Where the system watches nothing more for us.
    pub fn open() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self { inotify, watches: Mutex::default() })
    }

    /// Watches the directories of these files, and no others; what has happened before is forgotten. Gives those that cannot be watched,
    /// each with the reason.
    pub fn follow(&self, files: &Inputs) -> Vec<(PathBuf, io::Error)> {
        let mut watches = BTreeSet::new();
        let mut failed = Vec::new();
        // Those that are watched already, too: another directory may have taken the place of one.
        for directory in files.paths().flat_map(directories).collect::<BTreeSet<_>>() {
            match inotify::add_watch(&self.inotify, &directory, TELLING | WatchFlags::ONLYDIR) {
                Ok(watch) => drop(watches.insert(watch)),
                Err(error) => failed.push((directory, error.into())),
            }
        }
        // A panic while it was open has left a set that was whole.
        let mut watched = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        for former in watched.difference(&watches) {
            // Its directory may be gone, and it with that.
            let _ = inotify::remove_watch(&self.inotify, *former);
        }
        *watched = watches;
        self.forget();
        failed
    }

    /// Takes what is told of so far, without a look at it: what counts is what the files hold. Tells whether there was anything.
    fn forget(&self) -> bool {
        let mut events = [0; 4096];
        let mut more = || rustix::io::read(&self.inotify, &mut events).is_ok_and(|read| read > 0);
        let was_told = more();
        while more() {}
        was_told
    }
}

impl AsRawFd for InputsWatch {
    fn as_raw_fd(&self) -> RawFd {
        self.inotify.as_raw_fd()
    }
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

    use super::{Inputs, InputsWatch, directories};

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

    #[test]
    fn what_changes_no_file_is_not_even_told() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let (config, program) = (directory.path().join("retcon.toml"), directory.path().join("source"));
        file(config.clone());
        file(program.clone());
        let mut inputs = Inputs::default();
        inputs.read(&config).expect("it is there");
        let watch = InputsWatch::open().expect("it can be watched");
        assert!(watch.follow(&inputs).is_empty() && !watch.forget(), "what was there before is no news");

        // As when it is run.
        fs::read(&program).expect("it is there");
        assert!(!watch.forget(), "to read a file is no change");
        fs::write(&config, "a = 1").expect("a file can be written");
        assert!(watch.forget());
        file(directory.path().join("new"));
        fs::rename(directory.path().join("new"), &config).expect("a file can be renamed");
        assert!(watch.forget());
        fs::remove_file(&config).expect("it is there");
        assert!(watch.forget());
    }
}
