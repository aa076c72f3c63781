//! As whom PostgreSQL runs: as we do, or, since it refuses to be root, as another user.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Access, access, chown};
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::error::{PrivateError, failed};

/// As whom PostgreSQL runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Account {
    /// As the user that we are.
    Ours,
    /// As this user; we are root.
    Other(User),
}

/// A user other than us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// Chooses as whom to run: as root the owner of `data` if it exists, else postgres, else nobody.
    pub fn choose(data: &Path) -> Result<Self, PrivateError> {
        if !geteuid().is_root() {
            return Ok(Self::Ours);
        }
        let owner = fs::metadata(data).ok();
        let users = users()?;
        let user = match owner {
            Some(owner) if owner.uid() != 0 => {
                let known = users.into_iter().find(|user| user.uid == owner.uid());
                known.unwrap_or(User { name: format!("number {}", owner.uid()), uid: owner.uid(), gid: owner.gid() })
            }
            // One of root's own does not exist: PostgreSQL makes none.
            Some(_) | None => ["postgres", "nobody"]
                .iter()
                .find_map(|name| users.iter().find(|user| user.name == *name))
                .cloned()
                .ok_or(PrivateError::NoUser)?,
        };
        Ok(Self::Other(user))
    }

    /// Lets `command` run so, without our supplementary groups.
    pub fn apply(&self, command: &mut Command) {
        if let Self::Other(user) = self {
            // The standard library drops root's supplementary groups with its user.
            command.uid(user.uid).gid(user.gid);
        }
    }

    /// Gives `path` to whom PostgreSQL runs as.
    pub fn own(&self, path: &Path) -> Result<(), PrivateError> {
        match self {
            Self::Ours => Ok(()),
            Self::Other(user) => chown(path, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)))
                .map_err(|error| failed("change the owner of", path)(error.into())),
        }
    }

    /// Checks that every directory on the way to `path`, and `path` itself, lets the account pass.
    ///
    /// `path` exists and has no symbolic links in it.
    pub fn check_reaches(&self, path: &Path) -> Result<(), PrivateError> {
        match self {
            Self::Ours => Ok(()),
            Self::Other(user) => match user.first_closed(path)? {
                None => Ok(()),
                Some(directory) => Err(PrivateError::Closed { directory, user: user.name.clone() }),
            },
        }
    }
}

impl User {
    /// Gives the outermost directory on the way to `path` that the user may not pass through.
    ///
    /// Asks the kernel as that user, so that access control lists and root-squashing file systems count: on a thread of
    /// its own, since a thread's identity is its own and ends with it.
    fn first_closed(&self, path: &Path) -> Result<Option<PathBuf>, PrivateError> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let mut ways: Vec<PathBuf> = path.ancestors().map(Path::to_owned).collect();
        ways.reverse();
        let asked = std::thread::spawn(move || {
            set_thread_groups(&[])?;
            set_thread_res_gid(gid, gid, gid)?;
            set_thread_res_uid(uid, uid, uid)?;
            Ok(ways.into_iter().find(|way| access(way, Access::EXEC_OK).is_err()))
        });
        let answer = asked.join().expect("nothing in it panics");
        answer.map_err(|error: rustix::io::Errno| failed("ask what its user may reach:", path)(error.into()))
    }
}

/// Lists the users of this machine.
fn users() -> Result<Vec<User>, PrivateError> {
    let path = Path::new("/etc/passwd");
    let text = fs::read(path).map_err(failed("read", path))?;
    Ok(String::from_utf8_lossy(&text).lines().filter_map(parse_user).collect())
}

/// Reads a line of passwd(5): name, password, user number, group number, ...
fn parse_user(line: &str) -> Option<User> {
    let mut columns = line.split(':');
    let name = columns.next()?.to_owned();
    Some(User { name, uid: columns.nth(1)?.parse().ok()?, gid: columns.next()?.parse().ok()? })
}
