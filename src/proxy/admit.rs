//! What may pass, and what a request says of itself: pure functions of its head.

use std::net::Ipv6Addr;

use http::header::{CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, Method, Version};

use super::Worker;
use crate::connection::Connection;
use crate::edit::params;
use crate::endpoint::guard::Classes;
use crate::endpoint::{self, Class};
use crate::exchange::{Request, Site};
use crate::machine::reading::carries;
use crate::refuse::{self, Refusal};
use crate::repair::Needs;
use crate::runtime::Runtime;

/// Header lines of a request or an answer; more are refused.
pub const MAX_HEADERS: usize = 100;
/// Bytes of a request body that is read whole: the longest of them carry a statement or a key set.
pub const LONGEST_BODY: usize = 64 * 1024;

/// One Host, a path, a coding that we know (RFC 9112 sections 3.2 and 6.1). Answers the host that the client names.
pub fn head(
    parts: &http::request::Parts,
    connection: &Connection,
    target_bytes: usize,
) -> Result<HeaderValue, Refusal> {
    if parts.method == Method::CONNECT {
        return Err(refuse::NOT_ALLOWED);
    }
    if is_misspelled(&parts.method) {
        return Err(refuse::BAD_METHOD);
    }
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    if target.len() > target_bytes {
        return Err(refuse::TARGET_TOO_LONG);
    }
    let is_path = target.starts_with('/') || (target.is_empty() && parts.uri.scheme().is_some());
    if !is_path {
        return Err(refuse::BAD_TARGET);
    }
    let mut codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    if codings.next().is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        || codings.next().is_some()
    {
        return Err(refuse::BAD_CODING);
    }
    let is_h2 = parts.version == Version::HTTP_2;
    if is_h2 && parts.headers.len() > MAX_HEADERS {
        return Err(refuse::HEAD_TOO_LARGE);
    }
    if is_h2 && parts.headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
        return Err(refuse::BAD_BODY);
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(refuse::BAD_HOST);
    }
    if let (Some(authority), Some(scheme)) = (parts.uri.authority(), parts.uri.scheme_str()) {
        if is_h2 && host.is_some_and(|host| !names_same(host.as_bytes(), authority.as_str().as_bytes(), scheme)) {
            return Err(refuse::BAD_HOST);
        }
        let ours = (scheme == "http" || scheme == "https") && is_host(authority.as_str());
        let value = HeaderValue::from_str(authority.as_str()).ok().filter(|_| ours && (host.is_some() || is_h2));
        return value.ok_or(refuse::BAD_TARGET);
    }
    match host {
        Some(host) if connection.knows_host(host) => Ok(host.clone()),
        Some(host) if host.to_str().is_ok_and(is_host) => {
            connection.admit_host(host);
            Ok(host.clone())
        }
        Some(_) => Err(refuse::BAD_HOST),
        None if parts.version == Version::HTTP_10 => Ok(HeaderValue::from_static("localhost")),
        None => Err(refuse::BAD_HOST),
    }
}

/// Whether this is a method by which requests are judged, but for the case of its letters. To us it would be another one; some
/// servers take it for the one that it looks like.
fn is_misspelled(method: &Method) -> bool {
    // None of those that are known to the library has a small letter.
    let judged =
        [Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::OPTIONS, Method::TRACE, Method::CONNECT];
    method.as_str().bytes().any(|byte| byte.is_ascii_lowercase())
        && judged.iter().any(|known| known.as_str().eq_ignore_ascii_case(method.as_str()))
}

/// Whether a Host field names what `:authority` does, but for the case of letters and the scheme's own port. Two readers
/// of one request must not see two hosts (RFC 9113 section 8.3.1).
fn names_same(host: &[u8], authority: &[u8], scheme: &str) -> bool {
    let own_port: &[u8] = if scheme == "https" { b":443" } else { b":80" };
    let plain = |text: &[u8]| {
        let text = text.strip_suffix(own_port).unwrap_or(text);
        text.strip_suffix(b":").unwrap_or(text).to_ascii_lowercase()
    };
    host == authority || plain(host) == plain(authority)
}

/// A name or an address and perhaps a port; nothing that two readers could take for different hosts.
fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else { return false };
    let host = authority.host();
    let port = text.strip_prefix(host);
    let named = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    (named || address.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok()))
        && port.is_some_and(|port| port.is_empty() || authority.port_u16().is_some())
}

/// Whether the client is not among those that the operator lets in.
pub fn is_blocked_address(runtime: &Runtime, connection: &Connection, headers: &HeaderMap) -> bool {
    let Some(admission) = &runtime.admission else { return false };
    let client = connection.client(headers, &runtime.trusted_proxies);
    let is_blocked_address = !admission.admits(client);
    if is_blocked_address {
        tracing::info!(peer = %connection.peer, client = ?client, "the client is not in access.allow");
    }
    is_blocked_address
}

/// Whether a stranger may not send a request that has these rules to keep.
pub fn is_closed(runtime: &Runtime, rules: Classes) -> bool {
    runtime.admission.as_ref().is_some_and(|admission| admission.is_closed(rules))
}

/// The rules of a request whose path may be any endpoint of the login, because the metadata are not known: those of each
/// endpoint that takes credentials.
pub fn rules_of_any_endpoint(request: &Request) -> Classes {
    let endpoints = [Class::Register, Class::Token, Class::Revoke];
    let endpoints = endpoints.into_iter().filter(|_| !endpoint::is_read(&request.method));
    endpoints.fold(request.rules, Classes::with)
}

/// Whether a request asks for a host that this proxy does not answer to. What is public is no secret under any name.
pub fn is_other_host(runtime: &Runtime, request: &Request, host: &HeaderValue) -> bool {
    !request.is_document && !host.to_str().is_ok_and(|host| runtime.hosts.answers_to(host))
}

/// Whether the request has to do with logging in, so that it must be known where the upstream's endpoints are. MCP
/// messages have not: they never wait for it.
pub fn is_about_oauth(request: &Request) -> bool {
    match request.class {
        Class::Mcp | Class::LegacySse => false,
        Class::Other => {
            let query = request.query().unwrap_or_default();
            let asks = ["client_id", "response_type", "resource"].iter().any(|name| params::has(query, name));
            let posts =
                request.method == Method::POST && (carries(request, Needs::Form) || carries(request, Needs::Json));
            asks || posts || request.preflight.is_some()
        }
        _ => true,
    }
}

/// Whether the client could send this request to `target` itself: the target is on the same site, and no rule applies there
/// that has not been checked. The client's own parameters may decide where a redirect leads.
pub fn may_ask_at(worker: &Worker, site: Site<'_>, is_blocked_address: bool, request: &Request, target: &str) -> bool {
    let Ok(target) = PathAndQuery::try_from(target) else { return false };
    let there = rules_at(worker, site, is_blocked_address, request, &request.method, &target);
    there.is_some_and(|there| there.adds_nothing_to(request.rules))
}

/// The rules of a target, if the client may send a request with this method there: it is on the same site, and open to the
/// client.
pub fn rules_at(
    worker: &Worker,
    site: Site<'_>,
    is_blocked_address: bool,
    request: &Request,
    method: &Method,
    target: &PathAndQuery,
) -> Option<Classes> {
    let there = site.place(method, target, &request.headers).rules;
    let is_here = worker.sites.as_ref().is_none_or(|sites| sites.keeps(&worker.runtime, target.path()));
    (is_here && !(is_blocked_address && is_closed(&worker.runtime, there))).then_some(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_differs_from_one_by_case_is_none() {
        for (method, expected) in
            [("POST", false), ("post", true), ("pOsT", true), ("get", true), ("connect", true), ("search", false)]
        {
            assert_eq!(is_misspelled(&method.parse().unwrap()), expected, "{method}");
        }
    }

    #[test]
    fn one_host_may_be_written_in_two_ways() {
        for (host, authority, scheme, expected) in [
            ("a.example", "a.example", "https", true),
            ("A.example", "a.Example", "https", true),
            ("a.example:443", "a.example", "https", true),
            ("a.example", "a.example:443", "https", true),
            ("a.example:", "a.example", "https", true),
            ("a.example:80", "a.example", "http", true),
            ("[::1]:80", "[::1]", "http", true),
            ("a.example:80", "a.example", "https", false),
            ("a.example:443", "a.example", "http", false),
            ("a.example:8443", "a.example", "https", false),
            ("b.example", "a.example", "https", false),
            ("a.example.", "a.example", "https", false),
            ("", "a.example", "https", false),
            ("a.example, b", "a.example", "https", false),
        ] {
            assert_eq!(names_same(host.as_bytes(), authority.as_bytes(), scheme), expected, "{host} {authority}");
        }
    }
}
