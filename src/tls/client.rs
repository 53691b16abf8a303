//! TLS to the upstream: always verified, against the platform's roots and the operator's own, unless somebody has written
//! down in as many words that it shall not be.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use sha2::{Digest as _, Sha256};

pub use crate::config::Trust;

/// What files amount to (SHA-256).
pub type Digest = [u8; 32];

/// The platform's certificates are read again after this: a reload with many sites reads them once.
const ROOTS_TIME: Duration = Duration::from_secs(10);

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{key} {file}: {source}", file = .file.display())]
    File { key: &'static str, file: PathBuf, source: rustls_pki_types::pem::Error },
    #[error("{key} {file} holds no certificate", file = .file.display())]
    Empty { key: &'static str, file: PathBuf },
    #[error("{key} {file}: {source}", file = .file.display())]
    Certificate { key: &'static str, file: PathBuf, source: rustls::Error },
    #[error("upstream.key_file {file} does not belong to upstream.cert_file: {source}", file = .file.display())]
    Identity { file: PathBuf, source: rustls::Error },
    #[error("this platform has no root certificates; name some with upstream.ca_file")]
    NoRoots,
    #[error("TLS cannot be set up: {0}")]
    Versions(#[source] rustls::Error),
}

/// The protocols that are offered (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    Http1,
    Http2,
    Both,
}

impl Offer {
    fn protocols(self) -> Vec<Vec<u8>> {
        let (http1, http2) = (b"http/1.1".to_vec(), b"h2".to_vec());
        match self {
            Self::Http1 => vec![http1],
            Self::Http2 => vec![http2],
            Self::Both => vec![http2, http1],
        }
    }
}

impl Trust {
    /// How the upstream's certificate is judged, and the digest of all that was read for it.
    ///
    /// # Errors
    /// When a file cannot be used or there is nothing to trust.
    pub fn config(&self, offer: Offer) -> Result<(ClientConfig, Digest), TlsError> {
        self.of_versions(offer, rustls::DEFAULT_VERSIONS)
    }

    /// The same, speaking one version alone: to find out whether a server does.
    ///
    /// # Errors
    /// As [`Trust::config`].
    pub fn of_version(&self, version: &'static SupportedProtocolVersion) -> Result<ClientConfig, TlsError> {
        self.of_versions(Offer::Http1, &[version]).map(|(config, _)| config)
    }

    /// Whether the files can be used, for an upstream that needs none of them.
    ///
    /// # Errors
    /// As [`Trust::config`].
    pub fn check_files(&self) -> Result<(), TlsError> {
        if let Some(file) = &self.ca_file {
            add_file(&mut RootCertStore::empty(), file)?;
        }
        self.identity().map(drop)
    }

    fn of_versions(
        &self,
        offer: Offer,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<(ClientConfig, Digest), TlsError> {
        let mut read = Sha256::new();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .map_err(TlsError::Versions)?;
        let builder = if self.accepts_any {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
        } else {
            let roots = self.roots(&mut read)?;
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|_| TlsError::NoRoots)?;
            builder.with_webpki_verifier(verifier)
        };
        let mut config = match self.identity()? {
            Some((chain, key, file)) => {
                chain.iter().for_each(|certificate| read.update(certificate));
                read.update(key.secret_der());
                builder.with_client_auth_cert(chain, key).map_err(|source| TlsError::Identity { file, source })?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = offer.protocols();
        read.update([u8::from(self.accepts_any)]);
        Ok((config, read.finalize().into()))
    }

    fn roots(&self, read: &mut Sha256) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        if let Some(file) = &self.ca_file {
            add_file(&mut roots, file)?;
        }
        roots.add_parsable_certificates(platform());
        roots.roots.iter().for_each(|root| read.update(&root.subject_public_key_info));
        if roots.is_empty() { Err(TlsError::NoRoots) } else { Ok(roots) }
    }

    /// The client's certificates, its key and the file that the key is from.
    #[allow(clippy::type_complexity, reason = "it is taken apart at once")]
    fn identity(&self) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, PathBuf)>, TlsError> {
        let Some((certificates, key)) = &self.identity else { return Ok(None) };
        let chain = read_file("upstream.cert_file", certificates)?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::File {
            key: "upstream.key_file",
            file: key.clone(),
            source,
        })?;
        Ok(Some((chain, private, key.clone())))
    }
}

/// The platform's root certificates, as they were a moment ago.
fn platform() -> Vec<CertificateDer<'static>> {
    static READ: Mutex<Option<(Instant, Vec<CertificateDer<'static>>)>> = Mutex::new(None);
    let mut read = READ.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((when, certificates)) = &*read
        && when.elapsed() < ROOTS_TIME
    {
        return certificates.clone();
    }
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of the platform's root certificates cannot be read");
    }
    *read = Some((Instant::now(), found.certs.clone()));
    found.certs
}

fn add_file(roots: &mut RootCertStore, file: &Path) -> Result<(), TlsError> {
    let key = "upstream.ca_file";
    for certificate in read_file(key, file)? {
        roots.add(certificate).map_err(|source| TlsError::Certificate { key, file: file.to_owned(), source })?;
    }
    Ok(())
}

fn read_file(key: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let named = |source| TlsError::File { key, file: file.to_owned(), source };
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(file).map_err(named)?.collect::<Result<_, _>>().map_err(named)?;
    if certificates.is_empty() { Err(TlsError::Empty { key, file: file.to_owned() }) } else { Ok(certificates) }
}

/// Believes everybody (`upstream.dangerously_accept_any_certificate`). Whoever sits between can read and change all.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
