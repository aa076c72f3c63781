//! TLS to the database, by rustls: which certificates are trusted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::address::{Check, Tls};

/// The protocol's name, without which a server refuses TLS that begins at once (`sslnegotiation=direct`).
const PROTOCOL: &[u8] = b"postgresql";

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {name} {}", file.display())]
    Pem { name: &'static str, file: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("cannot find a certificate of an authority in {}", .0.display())]
    NoRoots(PathBuf),
    #[error("cannot find the system's certificates of authorities: name a file of them with sslrootcert")]
    NoSystemRoots(#[source] Option<Box<rustls_native_certs::Error>>),
    #[error("cannot use the certificates")]
    Unusable(#[source] Error),
    #[error("cannot use the authorities")]
    Verifier(#[source] rustls::client::VerifierBuilderError),
}

/// Prepares for connections that are secured like this.
pub(super) fn connector(tls: &Tls) -> Result<MakeRustlsConnect, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(tls, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let unreadable = |source| TlsError::Pem { name: "sslkey", file: key.clone(), source };
            let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable)?;
            builder.with_client_auth_cert(certificates("sslcert", cert)?, key).map_err(TlsError::Unusable)?
        }
    };
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(MakeRustlsConnect::new(config))
}

fn verifier(tls: &Tls, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let algorithms = provider.signature_verification_algorithms;
    Ok(match tls.check {
        Check::Nothing => Arc::new(Lenient { roots: None, algorithms }),
        Check::Authority => Arc::new(Lenient { roots: Some(roots(tls.roots.as_deref())?), algorithms }),
        Check::AuthorityAndName => {
            let roots = Arc::new(roots(tls.roots.as_deref())?);
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
                .build()
                .map_err(TlsError::Verifier)?
        }
    })
}

/// The authorities that are trusted.
fn roots(file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    match file {
        Some(file) => {
            for certificate in certificates("sslrootcert", file)? {
                store.add(certificate).map_err(TlsError::Unusable)?;
            }
            if store.is_empty() {
                return Err(TlsError::NoRoots(file.to_owned()));
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            // What the system has of old or odd ones is passed over, as everybody does.
            store.add_parsable_certificates(found.certs);
            if store.is_empty() {
                return Err(TlsError::NoSystemRoots(found.errors.into_iter().next().map(Box::new)));
            }
        }
    }
    Ok(store)
}

fn certificates(name: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |source| TlsError::Pem { name, file: file.to_owned(), source };
    let found = CertificateDer::pem_file_iter(file).map_err(unreadable)?;
    let unreadable = |source| TlsError::Pem { name, file: file.to_owned(), source };
    found.collect::<Result<_, _>>().map_err(unreadable)
}

/// Checks less than everything: never the name, and the authority where there are `roots`.
#[derive(Debug)]
struct Lenient {
    roots: Option<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
