//! Why no session can be had.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustls::CertificateError;

use super::super::error::Cause;
use crate::log::chain;

/// No host gave a session.
#[derive(Debug)]
pub struct OpenError(pub(super) Vec<(String, Refusal)>);

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (host, refusal)) in self.0.iter().enumerate() {
            let between = if index == 0 { "" } else { "; " };
            write!(f, "{between}{host}: {}", chain(refusal))?;
        }
        Ok(())
    }
}

impl Error for OpenError {}

impl OpenError {
    /// Why each host gave none, by its name.
    pub fn refusals(&self) -> &[(String, Refusal)] {
        &self.0
    }
}

/// Why a host gave no session, or was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("cannot find its address")]
    Unknown(#[source] io::Error),
    #[error("it does not answer within {}s", .0.as_secs())]
    Silent(Duration),
    /// It answers, and a commit does not come to its end.
    #[error("it does not end a commit within {}s: it waits for a synchronous standby perhaps", .0.as_secs())]
    Unreplicated(Duration),
    #[error("{0}")]
    Certificate(String),
    #[error("it takes no writes: it is a standby, or was made read-only")]
    ReadOnly,
    #[error(
        "it is at timeline {timeline}, and timeline {seen} was seen before: it was replaced, or is an older backup{}",
        remedy(.file.as_ref())
    )]
    LeftBehind { timeline: u32, seen: u32, file: Option<PathBuf> },
    #[error(
        "it is another database than before (system identifier {system}, it was {seen}): what retcon knows is not in it{}",
        remedy(.file.as_ref())
    )]
    Other { system: u64, seen: u64, file: Option<PathBuf> },
    /// What it, or the way to it, said.
    #[error(transparent)]
    Said(Cause),
}

fn remedy(file: Option<&PathBuf>) -> String {
    file.map(|file| format!("; if that is meant, stop retcond and remove {}", file.display())).unwrap_or_default()
}

impl From<tokio_postgres::Error> for Refusal {
    fn from(error: tokio_postgres::Error) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = error.source();
        while let Some(error) = cause {
            let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            let tls = error.downcast_ref::<rustls::Error>().or_else(|| inner.and_then(|error| error.downcast_ref()));
            if let Some(tls) = tls {
                return Self::Certificate(explain(tls));
            }
            cause = error.source();
        }
        Self::Said(Cause::from(error))
    }
}

/// Says what is wrong with the server's certificate, or with ours, and what helps.
fn explain(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(invalid) = error else {
        return format!("TLS failed: {error}");
    };
    match invalid {
        CertificateError::UnknownIssuer => {
            "its certificate is signed by no authority that is trusted here (sslrootcert names a file of authorities)"
                .into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is for another host (verify-ca does not look at names): {invalid}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("its certificate has expired: {invalid}")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("its certificate is not valid yet: {invalid}")
        }
        other => format!("its certificate cannot be trusted: {other}"),
    }
}
