//! Header fields: values of a few are harmless and kept, some by their parts, of all others the name and a hash.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};

use super::Pass;
use super::rules::{self, Rule};
use crate::edit::list::is_token_byte;
use crate::exchange::is_credential;
use crate::repairs::session;

/// Fields that say nothing of anybody.
const KEPT: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-allow-private-network",
    "access-control-expose-headers",
    "access-control-max-age",
    "access-control-request-headers",
    "access-control-request-method",
    "access-control-request-private-network",
    "age",
    "allow",
    "cache-control",
    "cf-cache-status",
    "cf-mitigated",
    "connection",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "cross-origin-resource-policy",
    "date",
    "expires",
    "host",
    "keep-alive",
    "last-modified",
    "mcp-mend",
    "mcp-method",
    "mcp-protocol-version",
    "pragma",
    "referrer-policy",
    "retry-after",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "server",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "x-accel-buffering",
    "x-content-type-options",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-frame-options",
    "x-powered-by",
];

/// Schemes of credentials (IANA's registry, and what APIs write). What else stands there may be the secret itself.
const SCHEMES: &[&str] = &[
    "basic",
    "bearer",
    "digest",
    "dpop",
    "gnap",
    "hawk",
    "hoba",
    "mutual",
    "negotiate",
    "ntlm",
    "oauth",
    "privatetoken",
    "token",
    "apikey",
    "aws4-hmac-sha256",
];

/// Attributes of a cookie (RFC 6265 section 5.2).
const OF_COOKIES: &[&str] =
    &["domain", "expires", "httponly", "max-age", "partitioned", "path", "priority", "samesite", "secure"];

impl Pass<'_> {
    pub(super) fn headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        headers
            .iter()
            .map(|(name, value)| {
                let text = String::from_utf8_lossy(value.as_bytes());
                (self.name(name.as_str()), self.header(name.as_str(), &text))
            })
            .collect()
    }

    fn header(&self, name: &str, value: &str) -> String {
        if KEPT.contains(&name) {
            return self.plain(name, value);
        }
        match name {
            "origin" | "referer" | "location" | "content-location" => self.by(Rule::Url, value),
            "authorization" | "proxy-authorization" => self.credentials(value),
            "cookie" => self.cookies(value, |_| false),
            "set-cookie" => self.cookies(value, |name| OF_COOKIES.contains(&name.to_ascii_lowercase().as_str())),
            _ if name.ends_with("authenticate") => self.challenge(value),
            "link" => self.links(value),
            "mcp-session-id" => self.session(value),
            // Cloudflare finds a request by it; it opens nothing.
            "cf-ray" if is_ray(value) && self.secrets.found_in(value).is_none() => value.to_owned(),
            "refresh" => match value.split_once(['=']) {
                Some((before, url)) => format!("{}={}", self.words(before), self.by(Rule::Url, url)),
                None => self.words(value),
            },
            _ if value.is_empty() => String::new(),
            _ if is_credential(name) => self.secret(value),
            _ => self.value(value),
        }
    }

    fn plain(&self, name: &str, value: &str) -> String {
        let shown = self.words_up_to(value, super::LONGEST_VALUE);
        if name != "content-security-policy" {
            return shown;
        }
        // A nonce is there to be guessed by nobody.
        let source = |word: &str| if word.contains("nonce-") { self.redactor.hash(word) } else { word.to_owned() };
        shown.split(' ').map(source).collect::<Vec<_>>().join(" ")
    }

    /// The scheme stays, the rest does not.
    fn credentials(&self, value: &str) -> String {
        let Some((scheme, rest)) = value.split_once(' ') else {
            let is_scheme = SCHEMES.contains(&value.to_ascii_lowercase().as_str());
            return if is_scheme || value.is_empty() { value.to_owned() } else { self.secret(value) };
        };
        let credentials = rest.trim();
        if scheme.eq_ignore_ascii_case("basic")
            && let Ok(pair) = STANDARD.decode(credentials)
        {
            let pair = String::from_utf8_lossy(&pair);
            self.secrets.add(&pair);
            self.secrets.add(credentials);
            if let Some((user, password)) = pair.split_once(':') {
                // In a form they stand decoded (RFC 6749 section 2.3.1).
                let part = |part: &str| {
                    self.secrets.add(part);
                    let plain = percent_encoding::percent_decode_str(part).decode_utf8_lossy();
                    if plain.is_empty() { String::new() } else { self.secret(&plain) }
                };
                return format!("{scheme} {}:{}", part(user), part(password));
            }
        }
        // Of a JWT, each part is as good as a name for it.
        credentials.split('.').for_each(|part| self.secrets.add(part));
        let is_scheme = SCHEMES.contains(&scheme.to_ascii_lowercase().as_str());
        let scheme = if is_scheme { scheme.to_owned() } else { self.secret(scheme) };
        if credentials.is_empty() { scheme } else { format!("{scheme} {}", self.secret(credentials)) }
    }

    fn cookies(&self, value: &str, is_attribute: impl Fn(&str) -> bool) -> String {
        let one = |(index, part): (usize, &str)| {
            let (name, value) = part.trim().split_once('=').map_or((part.trim(), None), |(n, v)| (n, Some(v)));
            if index > 0 && is_attribute(name) {
                let shown = value.map(|value| match name.to_ascii_lowercase().as_str() {
                    "path" => self.path(value),
                    _ => self.words(value),
                });
                return shown.map_or_else(|| name.to_owned(), |value| format!("{name}={value}"));
            }
            match value {
                Some(value) => format!("{}={}", self.name(name), self.secret(value)),
                None => self.secret(name),
            }
        };
        value.split(';').enumerate().map(one).collect::<Vec<_>>().join("; ")
    }

    /// A session's id, hashed; what no client can send back stays visible as such (F-18).
    fn session(&self, value: &str) -> String {
        if matches!(value, "" | "null" | "undefined") {
            return value.to_owned();
        }
        if value.starts_with(session::SEALED) {
            return self.sealed(value);
        }
        let is_illegal = value.bytes().any(|b| !(b'!'..=b'~').contains(&b));
        format!("{}{}", self.secret(value), if is_illegal { " _" } else { "" })
    }

    /// A sealed id: what it holds, without the secrets, sealed with a key that everybody knows. So a replay can open it.
    fn sealed(&self, value: &str) -> String {
        self.secrets.add_proper(value);
        let written = self.redactor.sealed.as_ref().and_then(|(stated, written)| {
            let opened = session::open(stated, &HeaderValue::from_str(value).ok()?)?;
            let id = HeaderValue::from_str(&self.session(&String::from_utf8_lossy(opened.id.as_bytes()))).ok()?;
            let cookies = opened.cookies.map(|cookies| self.cookies(&cookies, |_| false));
            session::seal(written, &id, cookies.as_deref())
        });
        let written = written.and_then(|written| written.to_str().ok().map(str::to_owned));
        written.unwrap_or_else(|| format!("{}{}", session::SEALED, self.redactor.hash(value)))
    }

    /// Links (RFC 8288): where to, and the rest as text.
    fn links(&self, value: &str) -> String {
        let mut out = String::new();
        let mut rest = value;
        while let Some((before, after)) = rest.split_once('<') {
            let (url, behind) = after.split_once('>').unwrap_or((after, ""));
            out.push_str(&format!("{}<{}>", self.words(before), self.url(url)));
            rest = behind;
        }
        out + &self.words(rest)
    }

    /// A challenge, however it is written: values by the rules, the rest as it was. A word without a value is a scheme
    /// where one may begin, and a credential anywhere else.
    fn challenge(&self, text: &str) -> String {
        let mut out = String::new();
        let (mut rest, mut may_begin) = (text, true);
        while let Some(first) = rest.chars().next() {
            let length = rest.bytes().take_while(|b| is_token_byte(*b)).count();
            if length == 0 {
                out.push(if first.is_ascii_punctuation() || first == ' ' { first } else { '_' });
                may_begin = first == ',' || (may_begin && first == ' ');
                rest = &rest[first.len_utf8()..];
                continue;
            }
            let (word, behind) = rest.split_at(length);
            let value = behind.trim_start().strip_prefix('=').map(str::trim_start);
            let is_padding = value.is_none_or(|value| value.is_empty() || value.starts_with([',', '=']));
            match value {
                Some(value) if !is_padding => {
                    out.push_str(&self.name(word));
                    rest = self.parameter(&mut out, word, value);
                }
                _ if may_begin && (behind.is_empty() || behind.starts_with([' ', ','])) => {
                    out.push_str(&self.name(word));
                    rest = behind;
                }
                _ => {
                    let end = rest.find([',', ' ']).unwrap_or(rest.len());
                    out.push_str(&self.secret(rest[..end].trim_end_matches('=')));
                    rest = &rest[end..];
                }
            }
            may_begin = false;
        }
        out
    }

    /// Writes the value of a parameter of a challenge. Answers what stands behind it.
    fn parameter<'t>(&self, out: &mut String, name: &str, text: &'t str) -> &'t str {
        let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, behind) = match quote {
            Some(quote) => {
                let inner = &text[1..];
                let end = end_of_quote(inner, quote);
                (&inner[..end], inner.get(end + 1..).unwrap_or_default())
            }
            None => text.split_at(text.find([',', ' ', '\t']).unwrap_or(text.len())),
        };
        let rule = match name.to_ascii_lowercase().as_str() {
            "resource_metadata" | "as_uri" | "authorization_uri" => Rule::Url,
            name => rules::of(name),
        };
        let shown = self.by(rule, &value.replace("\\\"", "\"")).replace(['"', '\\'], "'");
        let is_closed = quote.is_some_and(|_| text.len() > value.len() + 1);
        let quote = quote.map(String::from).unwrap_or_default();
        out.push_str(&format!("={quote}{shown}{}", if is_closed { &quote } else { "" }));
        behind
    }
}

/// Where a quoted text ends.
fn end_of_quote(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == quote && !escaped {
            return at;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// Whether it is written as Cloudflare writes the id of a request.
fn is_ray(text: &str) -> bool {
    let (id, place) = text.split_once('-').unwrap_or((text, "XXX"));
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    id.len() == 16 && id.bytes().all(is_hex) && place.len() == 3 && place.bytes().all(|b| b.is_ascii_uppercase())
}
