//! What the broken server and its defects are made of: answers, how they change, what is remembered.

pub(super) mod body;
pub(super) mod change;
pub(super) mod reply;
pub(super) mod shelf;
pub(super) mod streams;

use http::request::Parts;

/// What registers a confidential client (RFC 7591 section 1.2: initial access token).
pub(super) const INITIAL_ACCESS_TOKEN: &str = "demo-initial-access-token";

/// The path of the MCP endpoint.
pub(super) const MCP: &str = "/mcp";
/// Where the messages of the HTTP+SSE transport go.
pub(super) const MESSAGES: &str = "/messages";

/// Where the OpenID configuration is: no client looks there. A defect that is about it puts it at its place.
pub(super) const OPENID: &str = "/openid-configuration";

/// The bearer token of a request (RFC 6750 section 2.1).
pub(super) fn bearer(head: &Parts) -> Option<&str> {
    credentials(head, "bearer")
}

/// What an Authorization field of this scheme says.
pub(super) fn credentials<'a>(head: &'a Parts, scheme: &str) -> Option<&'a str> {
    let (have, rest) = head.headers.get(http::header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    have.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// The first value of a form field or query parameter, if it is not empty (RFC 6749 section 3.1: an empty one counts
/// as left out).
pub(super) fn field(fields: &[(String, String)], name: &str) -> Option<String> {
    fields.iter().find(|(have, _)| have == name).map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
}

/// The fields of a form or query.
pub(super) fn fields(text: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text).into_owned().collect()
}
