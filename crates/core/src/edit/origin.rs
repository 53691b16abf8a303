//! Web origins (RFC 6454) and the question this product turns on: does a URL belong to the upstream?

use std::fmt;

use url::{Host, Url};

/// Scheme, host and port of an `http` or `https` URL.
///
/// Two origins are equal when their serialised forms are (RFC 6454 section 5); [`Origin::is_twin_of`] is the wider
/// question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    secure: bool,
    host: Host<String>,
    port: u16,
    text: String,
}

/// Why a text is not the origin of a web server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnOrigin {
    #[error("it is not an absolute URL ({0})")]
    NotAUrl(#[from] url::ParseError),
    #[error("its scheme is `{0}`, not http or https")]
    Scheme(String),
    #[error("it has no host")]
    NoHost,
    #[error("it carries {0}, and an origin is scheme, host and port alone")]
    Extra(&'static str),
}

impl Origin {
    /// The origin of an absolute http(s) URL, whatever its path.
    ///
    /// # Errors
    /// When the text is no absolute URL, has another scheme or has no host.
    pub fn of(text: &str) -> Result<Self, NotAnOrigin> {
        Self::of_url(&Url::parse(text)?)
    }

    /// The origin of a parsed URL.
    ///
    /// # Errors
    /// When the scheme is not http(s) or there is no host.
    pub fn of_url(url: &Url) -> Result<Self, NotAnOrigin> {
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(NotAnOrigin::Scheme(other.to_owned())),
        };
        let host = url.host().ok_or(NotAnOrigin::NoHost)?.to_owned();
        let default = if secure { 443 } else { 80 };
        let port = url.port().unwrap_or(default);
        let scheme = url.scheme();
        let text = if port == default { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") };
        Ok(Self { secure, host, port, text })
    }

    /// An origin written as such: scheme, host, port, at most one trailing slash.
    ///
    /// # Errors
    /// As [`Origin::of`], and when there is a path, a query, a fragment or user information.
    pub fn exactly(text: &str) -> Result<Self, NotAnOrigin> {
        let url = Url::parse(text)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(NotAnOrigin::Extra("a query or fragment"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotAnOrigin::Extra("a user name or password"));
        }
        if url.path() != "/" {
            return Err(NotAnOrigin::Extra("a path"));
        }
        Self::of_url(&url)
    }

    /// The serialised origin: no trailing slash, no default port.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    #[must_use]
    pub fn host(&self) -> &Host<String> {
        &self.host
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as a `Host` header names them: a default port is left out.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.text.split_once("://").map_or("", |(_, rest)| rest)
    }

    /// `localhost`, `127.0.0.0/8` or `[::1]`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        }
    }

    /// Whether both name the same server to everybody but a string comparison: the http and https forms of one host
    /// (same port, or both the default one), and the loopback names `localhost`, `127.0.0.1` and `[::1]`.
    #[must_use]
    pub fn is_twin_of(&self, other: &Self) -> bool {
        let same_host = self.host == other.host || (self.is_loopback() && other.is_loopback());
        same_host && (self.port == other.port || (self.has_default_port() && other.has_default_port()))
    }

    fn has_default_port(&self) -> bool {
        self.port == if self.secure { 443 } else { 80 }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What follows the origin in an absolute http(s) URL, as it was written: path, query, fragment.
///
/// `None` when the text is not such a URL or carries user information (which nobody may move to another host).
#[must_use]
pub fn after_origin(text: &str) -> Option<&str> {
    let colon = text.find("://")?;
    let scheme = &text[..colon];
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let rest = &text[colon + 3..];
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    if rest[..end].contains('@') || rest[end..].starts_with('\\') {
        return None;
    }
    Some(&rest[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::of(text).unwrap()
    }

    #[test]
    fn writes_the_canonical_form() {
        for (given, canonical) in [
            ("HTTPS://MCP.Example.com:443/mcp", "https://mcp.example.com"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("http://127.0.0.1:80/", "http://127.0.0.1"),
            ("https://h:8443/x?y#z", "https://h:8443"),
        ] {
            assert_eq!(origin(given).as_str(), canonical);
        }
        assert_eq!(origin("https://h:8443").authority(), "h:8443");
        assert_eq!(origin("https://h:443").authority(), "h");
    }

    #[test]
    fn knows_twins() {
        for (a, b, twins) in [
            ("http://localhost:3000", "http://127.0.0.1:3000", true),
            ("http://localhost:3000", "http://[::1]:3000", true),
            ("http://localhost:3000", "http://localhost:3001", false),
            ("http://h", "https://h", true),
            ("http://h:8080", "https://h:8080", true),
            ("http://h:8080", "https://h", false),
            ("http://h", "http://h.example", false),
        ] {
            assert_eq!(origin(a).is_twin_of(&origin(b)), twins, "{a} {b}");
            assert_eq!(origin(b).is_twin_of(&origin(a)), twins, "{b} {a}");
        }
    }

    #[test]
    fn refuses_what_is_no_origin() {
        assert!(Origin::of("ftp://h").is_err());
        assert!(Origin::of("/relative").is_err());
        assert!(Origin::exactly("https://h/path").is_err());
        assert!(Origin::exactly("https://u:p@h").is_err());
        assert!(Origin::exactly("https://h/").is_ok());
    }

    #[test]
    fn splits_after_the_origin() {
        assert_eq!(after_origin("http://h:1/a?b#c"), Some("/a?b#c"));
        assert_eq!(after_origin("http://h"), Some(""));
        assert_eq!(after_origin("http://h?x"), Some("?x"));
        assert_eq!(after_origin("http://user@h/a"), None);
        assert_eq!(after_origin("http://h\\@evil/a"), None);
        assert_eq!(after_origin("mailto:a"), None);
    }
}
