//! TLS for those who come over TCP, by rustls.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::model::Tls;

/// The only protocol that is spoken.
const PROTOCOL: &[u8] = b"http/1.1";

/// Why the certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {setting} {}", file.display())]
    Pem { setting: &'static str, file: PathBuf, source: pem::Error },
    #[error("cannot find a certificate in server.tls.cert {}", .0.display())]
    NoCertificate(PathBuf),
    #[error("cannot use the certificate {} with the key {}", cert.display(), key.display())]
    Unusable { cert: PathBuf, key: PathBuf, source: rustls::Error },
}

/// Reads the certificate and its key.
pub(super) fn acceptor(Tls { cert, key }: &Tls) -> Result<TlsAcceptor, TlsError> {
    let unreadable = |setting, file: &PathBuf| {
        let file = file.clone();
        move |source| TlsError::Pem { setting, file, source }
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(|found| found.collect::<Result<Vec<_>, _>>())
        .map_err(unreadable("server.tls.cert", cert))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(cert.clone()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(unreadable("server.tls.key", key))?;
    let unusable = |source| TlsError::Unusable { cert: cert.clone(), key: key.clone(), source };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(unusable)?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
