//! Tells whether two requests have the same caller, without keeping their credentials.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};

use crate::exchange::is_credential;
use crate::headers::is_forwarding;

/// A fingerprint of everything in a request that identifies its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller([u8; 32]);

impl Caller {
    /// The caller of a request, from its header fields as the client sent them. Without a secret among them the client's address
    /// counts as well, and so do the fields that state an address, unless `trusted` says that a trusted proxy stated `client`.
    /// `None` if nothing tells callers apart: there is no secret, and the address is ambiguous.
    #[must_use]
    pub fn of(headers: &HeaderMap, client: Option<IpAddr>, trusted: bool) -> Option<Self> {
        let has_secret = headers.iter().any(|(name, value)| is_secret(name, value));
        let is_known = trusted || has_secret;
        // Proxies add fields that differ for each request, so a field counts only if it may name somebody.
        let digest = fingerprint(headers, |name| match is_of_the_way(name) {
            true => !is_known,
            false => names_somebody(name) && !is_of_one_message(name),
        });
        if has_secret {
            return Some(Self(digest.finalize().into()));
        }
        let digest = digest.chain_update(b"address\0").chain_update(client?.to_canonical().to_string());
        Some(Self(digest.finalize().into()))
    }

    /// The caller of a request, from its header fields as they go up; `None` without credentials. Every field
    /// counts that is not known to be about one message, or said by us (of a client that no proxy speaks for). One caller may be
    /// taken for several, but never two for one.
    #[must_use]
    pub fn with_credentials(headers: &HeaderMap) -> Option<Self> {
        let digest = || fingerprint(headers, |name| !is_of_one_message(name) && !is_forwarding(name));
        has_credentials(headers).then(|| Self(digest().finalize().into()))
    }
}

fn has_credentials(headers: &HeaderMap) -> bool {
    headers.keys().map(HeaderName::as_str).any(|name| is_credential(name) && !is_of_one_message(name))
}

/// Whether a field is a credential that nobody else has. Some fields are merely named like one, and are the same in the requests
/// of many.
fn is_secret(name: &HeaderName, value: &HeaderValue) -> bool {
    const SHORTEST: usize = 16;
    let is_long = value.len() >= SHORTEST && !value.as_bytes().starts_with(b"http");
    *name == AUTHORIZATION
        || is_long && *name != COOKIE && is_credential(name.as_str()) && !is_of_one_message(name.as_str())
}

fn fingerprint(headers: &HeaderMap, counts: impl Fn(&str) -> bool) -> Sha256 {
    let mut fields: Vec<(&str, &[u8])> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .filter(|(name, _)| counts(name))
        .collect();
    // The order of fields depends on the client's HTTP stack and says nothing.
    fields.sort_unstable();
    fields.iter().fold(Sha256::new().chain_update(b"fields\0"), |digest, (name, value)| {
        // With the lengths, different fields never give the same bytes.
        let lengths = [name.len(), value.len()].map(|length| (length as u64).to_be_bytes());
        digest.chain_update(lengths.as_flattened()).chain_update(name).chain_update(value)
    })
}

/// Whether a field is a credential, or may name a user whom a gateway has let in.
fn names_somebody(name: &str) -> bool {
    const WORDS: [&str; 21] = [
        "account",
        "behalf",
        "caller",
        "client",
        "consumer",
        "credential",
        "customer",
        "group",
        "identity",
        "login",
        "mail",
        "member",
        "oidc",
        "org",
        "person",
        "principal",
        "role",
        "subject",
        "tenant",
        "user",
        "workspace",
    ];
    /// Too short to be looked for inside other words.
    const WHOLE_WORDS: [&str; 19] = [
        "actor",
        "company",
        "device",
        "dn",
        "employee",
        "eppn",
        "name",
        "oid",
        "owner",
        "persistent",
        "profile",
        "project",
        "realm",
        "space",
        "sub",
        "team",
        "uid",
        "universalid",
        "upn",
    ];
    is_credential(name)
        || (WORDS.iter().any(|word| name.contains(word))
            || name.split(['-', '_']).any(|word| WHOLE_WORDS.contains(&word)))
            && !name.ends_with("request-id")
}

/// Whether a field describes the path of a request through proxies, and not a user whom a proxy has let in.
fn is_of_the_way(name: &str) -> bool {
    const WAY: [&str; 9] = ["for", "host", "port", "proto", "scheme", "server", "ssl", "by", "prefix"];
    is_forwarding(name) && name.strip_prefix("x-forwarded-").is_none_or(|what| WAY.contains(&what))
}

/// Whether a field is known to be about one message, and may differ between those of one caller: its form, the page that it
/// comes from, the program, its trace, the proof of possession of its token.
fn is_of_one_message(name: &str) -> bool {
    const BEGINNINGS: [&str; 6] = ["sec-fetch-", "sec-ch-", "if-", "mcp-param-", "x-b3-", "x-datadog-"];
    let is_known = matches!(
        name,
        "accept"
            | "accept-charset"
            | "accept-encoding"
            | "accept-language"
            | "content-digest"
            | "content-disposition"
            | "content-encoding"
            | "content-language"
            | "content-length"
            | "content-type"
            | "host"
            | "origin"
            | "referer"
            | "user-agent"
            | "upgrade-insecure-requests"
            | "dnt"
            | "sec-gpc"
            | "cache-control"
            | "pragma"
            | "priority"
            | "date"
            | "expect"
            | "range"
            | "te"
            | "trailer"
            | "last-event-id"
            | "mcp-protocol-version"
            | "mcp-method"
            | "mcp-name"
            | "idempotency-key"
            | "dpop"
            | "traceparent"
            | "tracestate"
            | "baggage"
            | "b3"
            | "sentry-trace"
            | "uber-trace-id"
            | "x-trace-id"
            | "x-request-id"
            | "request-id"
            | "x-correlation-id"
            | "x-amzn-trace-id"
            | "x-cloud-trace-context"
            | "cf-ray"
    );
    is_known || BEGINNINGS.iter().any(|start| name.starts_with(start)) && !is_credential(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&'static str, &'static str)], client: &str) -> Option<Caller> {
        let field = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut headers = HeaderMap::new();
        for (name, value) in fields.iter().map(field) {
            headers.append(name, value);
        }
        Caller::of(&headers, client.parse().ok(), false)
    }

    #[test]
    fn whatever_may_say_who_asks_tells_callers_apart() {
        let token = ("authorization", "Bearer a");
        let one = of(&[token, ("cookie", "s=1"), ("x-api-key", "k")], "192.0.2.1");
        assert!(one.is_some());
        let same = of(&[("x-api-key", "k"), ("accept", "*/*"), ("cookie", "s=1"), token], "192.0.2.2");
        assert_eq!(one, same, "the address counts where there are no credentials");
        for other in [
            &[token, ("cookie", "s=2"), ("x-api-key", "k")][..],
            &[token, ("cookie", "s=1")],
            &[token, ("cookie", "s=1"), ("x-api-key", "k"), ("x-user-id", "u")],
            &[token, ("cookie", "s=1"), ("x-api-key", "k"), ("mcp-session-id", "u")],
            &[("authorization", "Bearer b"), ("cookie", "s=1"), ("x-api-key", "k")],
            &[token, ("x-api-key", "s=1"), ("cookie", "k")],
            &[token, ("cookie", "s=1"), ("cookie", ""), ("x-api-key", "k")],
            &[],
        ] {
            assert_ne!(one, of(other, "192.0.2.1"), "{other:?}");
        }
        for name in [
            "mcp-user-id",
            "mcp-api-key",
            "sec-auth-token",
            "x-correlation-token",
            "x-amzn-oidc-data",
            "remote-user",
            "x-forwarded-user",
            "x-tenant-id",
            "cf-access-jwt-assertion",
            "tailscale-user-login",
            "x-consumer-custom-id",
            "x-credential-identifier",
            "sm-universalid",
            "eppn",
            "persistent-id",
            "x-uid",
            "x-sub",
            "x-upn",
            "x-team-id",
            "x-project-id",
            "x-company-id",
            "x-scope-orgid",
            "x-organization-id",
            "x-roles",
            "remote-name",
            "x-employee-id",
            "x-on-behalf-of",
        ] {
            assert_ne!(of(&[(name, "a")], "192.0.2.1"), of(&[(name, "b")], "192.0.2.1"), "{name}");
        }
    }

    #[test]
    fn what_is_about_one_message_does_not() {
        for name in [
            "accept",
            "content-type",
            "traceparent",
            "x-request-id",
            "mcp-protocol-version",
            "sec-fetch-mode",
            "dpop",
            "mcp-param-city",
            "x-unique-id",
            "x-azure-ref",
            "x-request-start",
            "x-subrequest",
            "x-guid",
            "via",
        ] {
            assert_eq!(of(&[(name, "a")], "192.0.2.1"), of(&[(name, "b")], "192.0.2.1"), "{name}");
        }
    }

    #[test]
    fn for_what_is_kept_any_other_field_makes_another_caller() {
        let of = |name: &'static str, value: &'static str| {
            let fields = [("authorization", "Bearer a"), (name, value)];
            let fields = fields.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            Caller::with_credentials(&HeaderMap::from_iter(fields))
        };
        assert!(of("x-zone", "a").is_some() && of("x-zone", "a") == of("x-zone", "a"));
        assert_ne!(of("x-zone", "a"), of("x-zone", "b"));
        assert_eq!(of("accept", "a"), of("accept", "b"));
        assert_eq!(Caller::with_credentials(&HeaderMap::new()), None);
    }

    #[test]
    fn without_credentials_the_address_does() {
        let plain = [("accept", "*/*")];
        assert!(of(&plain, "192.0.2.1").is_some());
        assert_eq!(of(&plain, "192.0.2.1"), of(&[], "::ffff:192.0.2.1"));
        assert_ne!(of(&plain, "192.0.2.1"), of(&plain, "192.0.2.2"));
        assert_eq!(of(&plain, "unknown"), None);
        assert!(of(&[("authorization", "Bearer a")], "unknown").is_some());
        for field in [
            ("idempotency-key", "5f1d7a84db00d2fce00b31a7fc73224f"),
            ("cookie", "lang=en; theme=dark; consent=all"),
            ("x-auth-type", "none"),
            ("x-auth-provider", "https://login.example.com"),
        ] {
            assert_ne!(of(&[field], "192.0.2.1"), of(&[field], "192.0.2.2"), "{field:?} is no secret");
        }
        let key = [("x-api-key", "5f1d7a84db00d2fce00b31a7fc73224f")];
        assert_eq!(of(&key, "192.0.2.1"), of(&key, "192.0.2.2"));
    }

    #[test]
    fn what_a_front_says_of_the_address_counts_unless_it_is_believed() {
        let of = |port: &'static str, trusted| {
            let headers = HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), port.parse().unwrap())]);
            Caller::of(&headers, "192.0.2.1".parse().ok(), trusted)
        };
        assert_ne!(of("192.0.2.1:5000", false), of("192.0.2.1:5001", false));
        assert_eq!(of("192.0.2.1:5000", true), of("192.0.2.1:5001", true));
        let user = |user: &'static str| {
            let headers = HeaderMap::from_iter([("x-forwarded-user".parse().unwrap(), user.parse().unwrap())]);
            Caller::of(&headers, "192.0.2.1".parse().ok(), true)
        };
        assert_ne!(user("a"), user("b"));
    }
}
