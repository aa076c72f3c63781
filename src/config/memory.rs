//! What reading a great configuration takes, and a daemon that runs for years need not keep.

/// Gives memory that is free back to the system.
///
/// The file's tree, with the place of every value in it, is ten times as large as what comes of it; without this, the C library
/// keeps its pages for the next reading.
pub(super) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes no pointer, touches no memory that is in use, and may be called from any thread (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
}
