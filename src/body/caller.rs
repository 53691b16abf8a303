//! By what two requests of one caller are known for that, without keeping what they carry.

use std::net::IpAddr;

use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use crate::exchange::is_credential;

/// A fingerprint of the credentials of a request, or of its client's address if it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller([u8; 32]);

impl Caller {
    /// The caller of a request with these header fields as they came. `None` if nothing tells callers apart: there are no
    /// credentials, and the address of the client is ambiguous.
    #[must_use]
    pub fn of(headers: &HeaderMap, client: Option<IpAddr>) -> Option<Self> {
        Self::with_credentials(headers).or_else(|| {
            let digest = Sha256::new().chain_update(b"address\0").chain_update(client?.to_canonical().to_string());
            Some(Self(digest.finalize().into()))
        })
    }

    /// The caller of a request with these header fields as they came; `None` if it has no credentials.
    #[must_use]
    pub fn with_credentials(headers: &HeaderMap) -> Option<Self> {
        let mut fields: Vec<(&str, &[u8])> = headers
            .iter()
            .filter(|(name, _)| is_credential(name.as_str()))
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        // The order of fields depends on the client's HTTP stack and says nothing.
        fields.sort_unstable();
        if fields.is_empty() {
            return None;
        }
        let digest = fields.iter().fold(Sha256::new().chain_update(b"fields\0"), |digest, (name, value)| {
            // With the lengths no two sets of fields are the same bytes.
            let lengths = [name.len(), value.len()].map(|length| (length as u64).to_be_bytes());
            digest.chain_update(lengths.as_flattened()).chain_update(name).chain_update(value)
        });
        Some(Self(digest.finalize().into()))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn of(fields: &[(&'static str, &'static str)], client: &str) -> Option<Caller> {
        let field = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut headers = HeaderMap::new();
        for (name, value) in fields.iter().map(field) {
            headers.append(name, value);
        }
        Caller::of(&headers, client.parse().ok())
    }

    #[test]
    fn credentials_tell_callers_apart_and_nothing_else_does_where_there_are_any() {
        let token = ("authorization", "Bearer a");
        let one = of(&[token, ("cookie", "s=1"), ("x-api-key", "k")], "192.0.2.1");
        assert!(one.is_some());
        let same = of(&[("x-api-key", "k"), ("accept", "*/*"), ("cookie", "s=1"), token], "192.0.2.2");
        assert_eq!(one, same);
        for other in [
            &[token, ("cookie", "s=2"), ("x-api-key", "k")][..],
            &[token, ("cookie", "s=1")],
            &[token, ("cookie", "s=1"), ("x-api-key", "k"), ("x-auth-user", "u")],
            &[("authorization", "Bearer b"), ("cookie", "s=1"), ("x-api-key", "k")],
            &[token, ("x-api-key", "s=1"), ("cookie", "k")],
            &[token, ("cookie", "s=1"), ("cookie", ""), ("x-api-key", "k")],
            &[],
        ] {
            assert_ne!(one, of(other, "192.0.2.1"), "{other:?}");
        }
    }

    #[test]
    fn without_credentials_the_address_does() {
        let plain = [("accept", "*/*")];
        assert!(of(&plain, "192.0.2.1").is_some());
        assert_eq!(of(&plain, "192.0.2.1"), of(&[], "::ffff:192.0.2.1"));
        assert_ne!(of(&plain, "192.0.2.1"), of(&plain, "192.0.2.2"));
        assert_eq!(of(&plain, "unknown"), None);
        assert!(of(&[("authorization", "Bearer a")], "unknown").is_some());
    }
}
