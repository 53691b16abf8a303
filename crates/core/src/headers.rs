//! Header fields between client and upstream: hop-by-hop, forwarding, reframing. Pure functions, each with its rule.

pub mod forwarded;
mod misleading;
mod names;

use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, COOKIE, ETAG, EXPECT, FORWARDED,
    HOST, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, LAST_MODIFIED, ORIGIN, RANGE, TE, TRANSFER_ENCODING,
};

pub use self::misleading::drop_misleading;
pub use self::names::is_forwarding;
use self::names::{Kind, is_hop_by_hop};
use crate::edit::list;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The kinds of fields that a head has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names {
    pub hop_by_hop: bool,
    pub forwarding: bool,
    pub via: bool,
    pub trailer: bool,
    pub misleading: bool,
}

impl Names {
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        for name in headers.keys() {
            match names::kind_of(name.as_str()) {
                Kind::HopByHop => found.hop_by_hop = true,
                Kind::Via => found.via = true,
                Kind::Trailer => found.trailer = true,
                _ if misleading::is_misleading(name.as_str()) => found.misleading = true,
                Kind::Forwarding => found.forwarding = true,
                Kind::Other => {}
            }
        }
        found
    }
}

/// What describes the bytes of a body.
const OF_THE_BYTES: [HeaderName; 5] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("trailer"),
];

/// What Connection may not take away: whoever sends it would choose what the other side gets to see.
fn is_protected(name: &str) -> bool {
    is_forwarding(name)
        || name.starts_with("access-control-")
        || name.starts_with("mcp-")
        || matches!(
            name,
            "host"
                | "via"
                | "content-length"
                | "content-type"
                | "content-encoding"
                | "authorization"
                | "www-authenticate"
                | "cookie"
                | "set-cookie"
                | "origin"
                | "location"
                | "cache-control"
                | "vary"
        )
}

/// Takes out the fields of the connection that the message came on. `TE: trailers` survives: it is the one part of
/// `TE` that every hop of ours keeps (RFC 9110 section 10.1.4).
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let found: Vec<HeaderName> = headers.keys().filter(|name| is_hop_by_hop(name.as_str())).cloned().collect();
    let wants_trailers = found.contains(&TE) && list::contains(headers, TE, "trailers");
    if found.contains(&CONNECTION) {
        let listed: Vec<HeaderName> = list::members(headers, CONNECTION)
            .filter_map(|name| name.to_ascii_lowercase().parse().ok())
            .filter(|name: &HeaderName| !is_protected(name.as_str()))
            .collect();
        for name in listed {
            headers.remove(name);
        }
    }
    for name in found {
        headers.remove(name);
    }
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Joins the crumbs of a cookie: HTTP/2 may send it in pieces, HTTP/1.1 has it in one line (RFC 9113 section 8.2.3).
pub fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(COOKIE).iter();
    if crumbs.next().is_none() || crumbs.next().is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// The origin of the page that a request comes from (RFC 6454 section 7.3). Several are none that anybody could list.
pub fn origin(headers: &HeaderMap) -> Option<HeaderValue> {
    let first = headers.get(ORIGIN)?;
    let all: Vec<&[u8]> = headers.get_all(ORIGIN).iter().map(HeaderValue::as_bytes).collect();
    if all.len() == 1 { Some(first.clone()) } else { HeaderValue::from_bytes(&all.join(&b", "[..])).ok() }
}

/// Who the client is, as the upstream is told.
pub struct Forwarding<'a> {
    /// The client's address, and that of the connection's peer in general.
    pub peer: &'a HeaderValue,
    /// The host that clients use.
    pub host: &'a HeaderValue,
    /// `for=...;host=...;proto=...` of RFC 7239.
    pub forwarded: &'a HeaderValue,
    /// The scheme that clients use.
    pub proto: &'static str,
    /// Whether the peer is a proxy whose word counts.
    pub trusted: bool,
    /// Whether the request itself says something about it.
    pub is_told: bool,
}

/// Says who the client is. What the client itself says about that is dropped, unless its peer is trusted: then ours
/// is added behind it.
pub fn set_forwarding(headers: &mut HeaderMap, us: &Forwarding<'_>) {
    if us.is_told {
        if us.trusted {
            return append_forwarding(headers, us);
        }
        let told: Vec<HeaderName> = headers.keys().filter(|name| is_forwarding(name.as_str())).cloned().collect();
        for name in told {
            headers.remove(name);
        }
    }
    headers.insert(X_FORWARDED_FOR, us.peer.clone());
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(us.proto));
    headers.insert(X_FORWARDED_HOST, us.host.clone());
    headers.insert(FORWARDED, us.forwarded.clone());
}

fn append_forwarding(headers: &mut HeaderMap, us: &Forwarding<'_>) {
    for (name, ours) in [(X_FORWARDED_FOR, us.peer), (FORWARDED, us.forwarded)] {
        let told: Vec<&[u8]> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
        let mut all = told.join(&b", "[..]);
        if !all.is_empty() {
            all.extend_from_slice(b", ");
        }
        all.extend_from_slice(ours.as_bytes());
        headers.insert(name, HeaderValue::from_bytes(&all).unwrap_or_else(|_| ours.clone()));
    }
    headers.entry(X_FORWARDED_PROTO).or_insert_with(|| HeaderValue::from_static(us.proto));
    headers.entry(X_FORWARDED_HOST).or_insert_with(|| us.host.clone());
}

/// The value of `Forwarded` for a client (RFC 7239 section 4): an IPv6 address and a host stand in quotes.
#[must_use]
pub fn forwarded(peer: std::net::IpAddr, host: &HeaderValue, proto: &str) -> HeaderValue {
    let client = match peer {
        std::net::IpAddr::V4(address) => address.to_string(),
        std::net::IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    let host = host.to_str().unwrap_or_default();
    HeaderValue::from_str(&format!("for={client};host=\"{host}\";proto={proto}"))
        .unwrap_or_else(|_| HeaderValue::from_static("for=unknown"))
}

/// Asks for a plain, whole answer: no coding, no range, nothing that a 304 or 206 could answer.
pub fn ask_for_whole(headers: &mut HeaderMap) {
    for name in [ACCEPT_ENCODING, RANGE, IF_RANGE, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_MATCH, IF_UNMODIFIED_SINCE] {
        headers.remove(name);
    }
}

/// Points the request at the upstream and takes out what this hop has settled.
pub fn aim(headers: &mut HeaderMap, host: HeaderValue) {
    headers.insert(HOST, host);
    // The server side answers `100 Continue` by itself when the body is first read (RFC 9110 section 10.1.1).
    headers.remove(EXPECT);
}

/// Frames a message whose body was changed.
pub fn reframe(headers: &mut HeaderMap, length: usize) {
    unframe(headers);
    set_length(headers, length);
}

/// Frames a message whose body is all there. The only place that writes Content-Length.
pub fn set_length(headers: &mut HeaderMap, length: usize) {
    headers.remove(TRANSFER_ENCODING);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
}

/// Takes out what was said of a body that leaves otherwise than it came.
pub fn unframe(headers: &mut HeaderMap) {
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING, CONTENT_ENCODING, ETAG, LAST_MODIFIED, ACCEPT_RANGES] {
        headers.remove(name);
    }
    // They describe the bytes that are no longer there (RFC 9530, RFC 3230).
    for name in OF_THE_BYTES {
        headers.remove(name);
    }
}

/// The value in memory of its own. A value that came is a part of the buffer that the whole head was read into, and keeps that.
#[must_use]
pub fn detached(value: &HeaderValue) -> HeaderValue {
    let mut own = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
    own.set_sensitive(value.is_sensitive());
    own
}

/// Whether a body is encoded in a way that hides its text.
#[must_use]
pub fn is_encoded(headers: &HeaderMap) -> bool {
    list::members(headers, CONTENT_ENCODING).any(|coding| !coding.eq_ignore_ascii_case("identity"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
            .fold(HeaderMap::new(), |mut map, (name, value)| {
                map.append(name, value);
                map
            })
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn hop_by_hop_fields_stay_behind() {
        let mut headers = map(&[
            ("Connection", "close, X-Own, Host, Authorization, x-forwarded-for"),
            ("Keep-Alive", "timeout=5"),
            ("Upgrade", "websocket"),
            ("TE", "trailers, deflate"),
            ("X-Own", "1"),
            ("Host", "h"),
            ("Authorization", "Bearer t"),
            ("Trailer", "X-Sum"),
        ]);
        strip_hop_by_hop(&mut headers);
        assert_eq!(names(&headers), ["authorization", "host", "te", "trailer"]);
        assert_eq!(headers[TE], "trailers");
    }

    #[test]
    fn cookie_crumbs_are_one_line() {
        for (lines, expected) in [
            (&[][..], None),
            (&[("Cookie", "a=1")], Some("a=1")),
            (&[("Cookie", "a=1"), ("X", "y"), ("Cookie", "b=2; c=3"), ("Cookie", "d=4")], Some("a=1; b=2; c=3; d=4")),
        ] {
            let mut headers = map(lines);
            join_cookies(&mut headers);
            let all: Vec<&str> = headers.get_all(COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
            assert_eq!(all, expected.into_iter().collect::<Vec<_>>());
        }
    }

    fn forwarding<'a>(peer: &'a HeaderValue, host: &'a HeaderValue, trusted: bool) -> Forwarding<'a> {
        Forwarding { peer, host, forwarded: peer, proto: "https", trusted, is_told: true }
    }

    #[test]
    fn a_strangers_word_is_dropped() {
        let (peer, host) = (HeaderValue::from_static("9.9.9.9"), HeaderValue::from_static("pub"));
        let told = [
            ("X-Forwarded-For", "1.1.1.1"),
            ("X-Forwarded-Host", "evil"),
            ("X-Forwarded-Prefix", "/x"),
            ("Forwarded", "for=1.1.1.1"),
            ("X-Real-IP", "1.1.1.1"),
            ("CF-Connecting-IP", "1.1.1.1"),
        ];
        let mut headers = map(&told);
        set_forwarding(&mut headers, &forwarding(&peer, &host, false));
        assert_eq!(names(&headers), ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]);
        assert_eq!(headers[X_FORWARDED_FOR], "9.9.9.9");
        assert_eq!(headers[X_FORWARDED_HOST], "pub");

        let mut headers = map(&told);
        set_forwarding(&mut headers, &forwarding(&peer, &host, true));
        assert_eq!(headers[X_FORWARDED_FOR], "1.1.1.1, 9.9.9.9");
        assert_eq!(headers[X_FORWARDED_HOST], "evil");
        assert_eq!(headers[X_FORWARDED_PROTO], "https");
        assert_eq!(headers["x-real-ip"], "1.1.1.1");
    }

    #[test]
    fn forwarded_is_quoted_where_it_must() {
        let host = HeaderValue::from_static("h:1");
        assert_eq!(forwarded("1.2.3.4".parse().unwrap(), &host, "http"), "for=1.2.3.4;host=\"h:1\";proto=http");
        assert_eq!(forwarded("::1".parse().unwrap(), &host, "http"), "for=\"[::1]\";host=\"h:1\";proto=http");
    }

    #[test]
    fn a_changed_body_loses_what_described_the_old_one() {
        let mut headers = map(&[("ETag", "\"a\""), ("Content-Digest", "x"), ("Content-Length", "1"), ("X-A", "1")]);
        reframe(&mut headers, 12);
        assert_eq!(names(&headers), ["content-length", "x-a"]);
        assert_eq!(headers[CONTENT_LENGTH], "12");
    }
}
