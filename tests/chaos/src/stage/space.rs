//! A small file system of its own for a server's tables, which can be filled.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How large it is.
const SIZE: &str = "size=96m";
/// What fills it.
const BALLAST: &str = "ballast";

/// A mounted file system, which is gone with this.
#[derive(Debug)]
pub struct Space {
    mount: PathBuf,
    /// Within it, where the server may write.
    place: PathBuf,
}

impl Space {
    /// Mounts one; only root can.
    ///
    /// # Errors
    /// It cannot be mounted.
    pub fn mount(mount: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&mount)?;
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "retcon-chaos"]).arg(&mount).status()?;
        if !status.success() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "mount refuses"));
        }
        let place = mount.join("tables");
        Ok(Self { mount, place })
    }

    /// Tells whether one can be mounted here.
    pub fn is_possible(at: &Path) -> bool {
        Self::mount(at.join("trial")).is_ok()
    }

    pub fn path(&self) -> &Path {
        &self.place
    }

    /// Leaves no room.
    ///
    /// # Errors
    /// There is still some.
    pub fn fill(&self) -> io::Result<()> {
        let mut ballast = File::create(self.mount.join(BALLAST))?;
        for size in [1 << 16, 4096] {
            let chunk = vec![0; size];
            loop {
                match ballast.write_all(&chunk) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Makes room.
    ///
    /// # Errors
    /// The ballast cannot be removed.
    pub fn free(&self) -> io::Result<()> {
        fs::remove_file(self.mount.join(BALLAST))
    }

    /// Removes what a server has left.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn clear(&self) -> io::Result<()> {
        fs::read_dir(&self.place)?.flatten().try_for_each(|entry| fs::remove_dir_all(entry.path()))
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        // Lazily: a server that is ending may still have files of it open.
        let _ = Command::new("umount").arg("--lazy").arg(&self.mount).status();
    }
}
