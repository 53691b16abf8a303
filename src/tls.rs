//! TLS to the upstream: always verified, against the platform's roots and the operator's own.

pub mod server;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::edit::origin::Origin;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("upstream.ca_file {file}: {source}", file = .file.display())]
    File { file: PathBuf, source: rustls_pki_types::pem::Error },
    #[error("upstream.ca_file {file} holds no certificate", file = .0.display())]
    Empty(PathBuf),
    #[error("upstream.ca_file {file}: {source}", file = .file.display())]
    Certificate { file: PathBuf, source: rustls::Error },
    #[error("this platform has no root certificates; name some with upstream.ca_file")]
    NoRoots,
    #[error("TLS cannot be set up: {0}")]
    Versions(#[source] rustls::Error),
}

/// How the upstream's certificate is judged; `None` for an upstream over plain http.
///
/// # Errors
/// When the file cannot be used or there is nothing to trust.
pub fn client_config(upstream: &Origin, ca_file: Option<&Path>) -> Result<Option<Arc<ClientConfig>>, TlsError> {
    if !upstream.is_secure() {
        // A file that cannot be used is told all the same.
        return ca_file.map_or(Ok(()), |file| add_file(&mut RootCertStore::empty(), file)).map(|()| None);
    }
    client(ca_file, rustls::DEFAULT_VERSIONS).map(|config| Some(Arc::new(config)))
}

/// The same, speaking one version alone: to find out whether a server does.
///
/// # Errors
/// As [`client_config`].
pub fn client_of_version(
    ca_file: Option<&Path>,
    version: &'static SupportedProtocolVersion,
) -> Result<ClientConfig, TlsError> {
    client(ca_file, &[version])
}

fn client(ca_file: Option<&Path>, versions: &[&'static SupportedProtocolVersion]) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = ca_file {
        add_file(&mut roots, file)?;
    }
    let platform = rustls_native_certs::load_native_certs();
    for error in &platform.errors {
        tracing::warn!(%error, "some of the platform's root certificates cannot be read");
    }
    roots.add_parsable_certificates(platform.certs);
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(TlsError::Versions)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn add_file(roots: &mut RootCertStore, file: &Path) -> Result<(), TlsError> {
    let named = |source| TlsError::File { file: file.to_owned(), source };
    let mut found = false;
    for certificate in CertificateDer::pem_file_iter(file).map_err(named)? {
        roots
            .add(certificate.map_err(named)?)
            .map_err(|source| TlsError::Certificate { file: file.to_owned(), source })?;
        found = true;
    }
    if found { Ok(()) } else { Err(TlsError::Empty(file.to_owned())) }
}
