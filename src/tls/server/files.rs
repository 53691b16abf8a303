//! A certificate and its key from files: both there, belonging together, valid now.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Certificate, Unusable, place, provider};

const CERT: &str = "tls.cert_file";
const KEY: &str = "tls.key_file";
const WANTED_CERT: &str = "write a PEM file: the server's certificate, then those of its issuers";
const WANTED_KEY: &str = "write a PEM file with the server's private key";

/// Reads a pair. Both files are looked at, so that the errors of both are told at once.
pub(super) fn read(certificate: &Path, key: &Path, now: i64) -> Result<Certificate, Vec<Unusable>> {
    let (chain, secret) = match (read_chain(certificate), read_key(key)) {
        (Ok(chain), Ok(secret)) => (chain, secret),
        (chain, secret) => return Err(chain.err().into_iter().chain(secret.err()).collect()),
    };
    let said = |fault: String, cure: &str| vec![unusable(CERT, certificate, fault, cure)];
    let Some(Ok(told)) = chain.first().map(describe) else {
        return Err(said("its first certificate cannot be read".into(), "have it issued anew"));
    };
    if now > told.not_after {
        let fault = format!("the certificate expired on {}", date(told.not_after));
        return Err(said(fault, "have it renewed, and put the new one into this file"));
    }
    if now < told.not_before {
        let fault = format!("the certificate is not valid before {}", date(told.not_before));
        return Err(said(fault, "set this machine's clock, or take a certificate that is valid now"));
    }
    match CertifiedKey::from_der(chain, secret, &provider()) {
        Ok(pair) => Ok(Certificate {
            key: Arc::new(pair),
            names: told.names,
            file: Some(certificate.to_owned()),
            not_before: told.not_before,
            not_after: told.not_after,
        }),
        Err(rustls::Error::InconsistentKeys(_)) => {
            let fault = format!("this is not the key of the first certificate in {}", certificate.display());
            let cure =
                "write certificates and keys in the same order, and the server's own certificate first in its file";
            Err(vec![unusable(KEY, key, fault, cure)])
        }
        Err(error) => {
            let cure = "take an ECDSA (P-256 or P-384), Ed25519 or RSA (2048 bits or more) key";
            Err(vec![unusable(KEY, key, format!("this key cannot be used: {error}"), cure)])
        }
    }
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let told = |error: PemError| match error {
        PemError::Io(error) => unreadable(CERT, file, &error),
        error => unusable(CERT, file, format!("not PEM: {error}"), WANTED_CERT),
    };
    let all = CertificateDer::pem_file_iter(file).map_err(told)?.collect::<Result<Vec<_>, _>>().map_err(told)?;
    if all.is_empty() {
        return Err(unusable(CERT, file, "there is no certificate in it".into(), WANTED_CERT));
    }
    Ok(all)
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, Unusable> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| match error {
        PemError::Io(error) => unreadable(KEY, file, &error),
        PemError::NoItemsFound if is_locked(file) => {
            let cure = format!("write it without: openssl pkey -in {} -out key.pem", file.display());
            unusable(KEY, file, "the key in it is locked with a passphrase".into(), &cure)
        }
        PemError::NoItemsFound => unusable(KEY, file, "there is no private key in it".into(), WANTED_KEY),
        error => unusable(KEY, file, format!("not PEM: {error}"), WANTED_KEY),
    })
}

fn unreadable(setting: &str, file: &Path, error: &std::io::Error) -> Unusable {
    let cure = match error.kind() {
        std::io::ErrorKind::NotFound => "write the path of a file that is there",
        std::io::ErrorKind::PermissionDenied => "let the user that runs mcp-mend read it",
        _ => "write the path of a PEM file",
    };
    unusable(setting, file, error.to_string(), cure)
}

fn unusable(setting: &str, file: &Path, fault: String, cure: &str) -> Unusable {
    Unusable { place: place(setting, file), fault, cure: cure.to_owned() }
}

fn is_locked(file: &Path) -> bool {
    std::fs::read_to_string(file).is_ok_and(|text| text.contains("ENCRYPTED"))
}

/// What a certificate says of itself.
struct Told {
    names: Vec<String>,
    not_before: i64,
    not_after: i64,
}

/// Host names stand in the alternative names alone (RFC 9525 section 2).
fn describe(certificate: &CertificateDer<'static>) -> Result<Told, ()> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| ())?;
    let alternatives = parsed.subject_alternative_name().ok().flatten();
    let names = alternatives.iter().flat_map(|names| &names.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    let (names, validity) = (names.collect(), parsed.validity());
    Ok(Told { names, not_before: validity.not_before.timestamp(), not_after: validity.not_after.timestamp() })
}

fn date(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |moment| moment.to_string())
}
