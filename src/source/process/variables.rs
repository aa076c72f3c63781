//! Variables of an environment, as a new process gets them.

use std::ffi::{CString, OsStr};
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;

/// Variables that are put together once, for one process or for many.
#[derive(Clone, Default)]
pub struct Variables {
    texts: Vec<CString>,
    /// One holds NUL, and cannot be given to any process.
    is_impossible: bool,
}

impl Variables {
    /// Puts one more there; that there is none of this name yet is for the caller to see to.
    pub fn push(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        let (name, value) = (name.as_ref().as_bytes(), value.as_ref().as_bytes());
        let mut text = Vec::with_capacity(name.len() + value.len() + 2);
        [name, b"=", value].into_iter().for_each(|part| text.extend_from_slice(part));
        match CString::new(text) {
            Ok(text) => self.texts.push(text),
            Err(_) => self.is_impossible = true,
        }
    }

    /// Gives the value of a variable.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        let mut variables = self.texts.iter().map(|text| text.to_bytes());
        let value = variables.find_map(|text| text.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        value.map(OsStr::from_bytes)
    }

    /// Gives them as `NAME=VALUE`.
    pub(super) fn texts(&self) -> io::Result<&[CString]> {
        if self.is_impossible { Err(io::ErrorKind::InvalidInput.into()) } else { Ok(&self.texts) }
    }
}

impl<N: AsRef<OsStr>, V: AsRef<OsStr>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let mut all = Self::default();
        variables.into_iter().for_each(|(name, value)| all.push(name, value));
        all
    }
}

/// Their values may be secrets.
impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables").field("count", &self.texts.len()).finish_non_exhaustive()
    }
}
