//! The daemon's unix socket: its file's mode guards it, so it never stands there with another.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::tcp::TlsError;

/// The longest path that a unix socket can have, in bytes.
const MAX_PATH: usize = 107;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen at {path}: the path of a unix socket has at most {MAX_PATH} bytes, and this one {length}")]
    TooLong { path: PathBuf, length: usize },
    #[error("cannot listen at {0}: another daemon does")]
    Taken(PathBuf),
    #[error("cannot listen at {0}: something stands there that is no socket")]
    NoSocket(PathBuf),
    #[error("cannot listen at {path}")]
    Listen { path: PathBuf, source: io::Error },
    #[error("cannot listen at {address}, which server.listen names")]
    Tcp { address: SocketAddr, source: io::Error },
    #[error("cannot serve TLS")]
    Tls(#[from] TlsError),
}

/// The socket's file; removed when this is dropped.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Best effort: a socket left behind is replaced by the next daemon.
        let _ = fs::remove_file(&self.0);
    }
}

/// Listens at `path` with mode 0600; a socket that a dead daemon left there is replaced.
pub(super) fn listen(path: &Path) -> Result<(UnixListener, SocketFile), ServeError> {
    let length = path.as_os_str().len();
    if length > MAX_PATH {
        return Err(ServeError::TooLong { path: path.to_owned(), length });
    }
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Err(ServeError::NoSocket(path.to_owned())),
        Ok(_) if UnixStream::connect(path).is_ok() => return Err(ServeError::Taken(path.to_owned())),
        Ok(_) | Err(_) => {}
    }
    let listener = bind(path).map_err(|source| ServeError::Listen { path: path.to_owned(), source })?;
    Ok((listener, SocketFile(path.to_owned())))
}

/// Binds in a closed directory, sets the mode, then moves the socket to where it is seen.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let directory = path.parent().unwrap_or(Path::new("."));
    // The socket's first name is no longer than its last, so that it fits where the last one does.
    let closed = tempfile::Builder::new()
        .prefix(".s")
        .rand_bytes(4)
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(directory)?;
    let first = closed.path().join("s");
    let listener = UnixListener::bind(&first)?;
    listener.set_nonblocking(true)?;
    fs::set_permissions(&first, fs::Permissions::from_mode(0o600))?;
    fs::rename(&first, path)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    #[test]
    fn the_socket_is_its_owners_alone_and_gone_with_its_guard() {
        let directory = directory();
        let path = directory.path().join("retcon.sock");
        let (_listener, file) = listen(&path).expect("a socket");
        let mode = fs::metadata(&path).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).expect("a list").count(), 1, "nothing else is left there");
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_left_by_a_dead_daemon_is_replaced() {
        let directory = directory();
        let path = directory.path().join("retcon.sock");
        drop(UnixListener::bind(&path).expect("a socket"));
        let (_listener, _file) = listen(&path).expect("a new socket");
        UnixStream::connect(&path).expect("it is served");
    }

    #[test]
    fn a_living_socket_and_another_file_are_left_alone() {
        let directory = directory();
        let path = directory.path().join("retcon.sock");
        let other = UnixListener::bind(&path).expect("a socket");
        assert!(matches!(listen(&path), Err(ServeError::Taken(_))));
        drop(other);
        fs::remove_file(&path).expect("it was there");
        fs::write(&path, "a diary").expect("a file");
        assert!(matches!(listen(&path), Err(ServeError::NoSocket(_))));
        assert_eq!(fs::read_to_string(&path).expect("still there"), "a diary");
    }

    #[test]
    fn a_path_that_is_too_long_is_refused_by_its_length() {
        let path = PathBuf::from(format!("/{}/retcon.sock", "d".repeat(100)));
        assert!(matches!(listen(&path), Err(ServeError::TooLong { length: 113, .. })));
    }
}
