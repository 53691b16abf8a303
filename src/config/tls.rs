//! TLS on the listening side: certificates from files, or one made at the start.

use std::path::PathBuf;

use super::{Checker, Complaint};

/// How TLS is spoken to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    pub source: Source,
    pub min_version: Version,
}

/// Where certificates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Certificate and key files, in pairs. The first serves those who name no host that another is for.
    Files(Vec<(PathBuf, PathBuf)>),
    /// One that is made at the start and vouched for by nobody.
    SelfSigned,
}

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Tls12,
    Tls13,
}

impl Checker<'_> {
    /// Nothing: plain HTTP.
    pub(super) fn tls(&mut self) -> Option<Tls> {
        let path = |text: &str| match text {
            "" => Err("write the path of a PEM file".to_owned()),
            text => Ok(PathBuf::from(text)),
        };
        let certificates = self.many("tls.cert_file", path);
        let keys = self.many("tls.key_file", path);
        let min_version = self.one("tls.min_version", |text| match text {
            "1.2" => Ok(Version::Tls12),
            "1.3" => Ok(Version::Tls13),
            _ => Err("write \"1.2\" or \"1.3\"; older versions are not spoken".into()),
        });
        let is_self_signed = self.switch("tls.self_signed");
        let has_files = !self.values("tls.cert_file").is_empty() || !self.values("tls.key_file").is_empty();
        if is_self_signed && has_files {
            let value = self.values("tls.self_signed").last().cloned()?;
            let message = "a self-signed certificate is made where there is none; leave tls.self_signed out to use \
                           the files, or leave tls.cert_file and tls.key_file out";
            return self.complain(&value, message.into());
        }
        if certificates.len() != keys.len() {
            let (more, fewer) =
                if certificates.len() > keys.len() { ("cert_file", "key_file") } else { ("key_file", "cert_file") };
            let value = self.values(&format!("tls.{more}")).last().cloned()?;
            let message = format!(
                "{} certificate file(s), {} key file(s): write one tls.{fewer} for each tls.{more}, in the same order",
                certificates.len(),
                keys.len()
            );
            return self.complain(&value, message);
        }
        let source = match (is_self_signed, certificates.is_empty()) {
            (true, _) => {
                self.warn_of_self_signed();
                Source::SelfSigned
            }
            (false, false) => Source::Files(certificates.into_iter().zip(keys).collect()),
            (false, true) => return None,
        };
        Some(Tls { source, min_version: min_version? })
    }

    fn warn_of_self_signed(&mut self) {
        let place = self.values("tls.self_signed").last().map(|value| value.place.clone()).unwrap_or_default();
        let message = "the certificate is made at each start and nobody vouches for it: clients must be told to skip \
                       verification. For trying out only; in production write tls.cert_file and tls.key_file";
        self.warnings.push(Complaint { place, message: message.into() });
    }
}
