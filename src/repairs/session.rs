//! Sessions of Streamable HTTP (MCP 2025-03-26 to 2025-11-25): how they are named, kept apart and lost.
//!
//! What an id of ours stands for is written in it, so that any replica can read it and nothing is kept.

pub mod cookie_needed;
pub mod id_illegal;
pub mod lost;
pub mod sealed;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;

use super::transport;

/// Before the letters that stand for an id that cannot be sent.
pub(crate) const ID: &str = "mend-id-";
/// Between an id and the letters that stand for its cookies.
pub(crate) const COOKIES: &str = ".mend-";
/// A longer id than this would not pass everywhere as a header.
const LONGEST: usize = 4096;

/// Whether an id is what a program prints for none.
pub(crate) fn is_none(id: &HeaderValue) -> bool {
    let text = id.as_bytes().trim_ascii();
    text.is_empty() || [&b"null"[..], b"undefined", b"none"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether an id is visible ASCII (MCP 2025-11-25, Session Management).
fn is_legal(id: &HeaderValue) -> bool {
    id.as_bytes().iter().all(u8::is_ascii_graphic)
}

fn seal_id(id: &HeaderValue) -> String {
    format!("{ID}{}", URL_SAFE_NO_PAD.encode(id.as_bytes()))
}

fn seal_cookies(id: &HeaderValue, cookies: &str) -> Option<HeaderValue> {
    let sealed = format!("{}{COOKIES}{}", id.to_str().ok()?, URL_SAFE_NO_PAD.encode(cookies));
    HeaderValue::from_str(&sealed).ok().filter(|_| sealed.len() <= LONGEST)
}

fn is_sealed(id: &HeaderValue) -> bool {
    id.to_str().is_ok_and(|text| text.starts_with(ID) || text.contains(COOKIES))
}

/// The upstream's own id, and the cookies that belong to it.
fn unseal(sealed: &HeaderValue) -> Option<(HeaderValue, Option<String>)> {
    let text = sealed.to_str().ok()?;
    let (id, cookies) = match text.rsplit_once(COOKIES) {
        Some((id, letters)) => (id, Some(String::from_utf8(URL_SAFE_NO_PAD.decode(letters).ok()?).ok()?)),
        None => (text, None),
    };
    let id = match id.strip_prefix(ID) {
        Some(letters) => HeaderValue::from_bytes(&URL_SAFE_NO_PAD.decode(letters).ok()?).ok()?,
        None => HeaderValue::from_str(id).ok()?,
    };
    Some((id, cookies))
}
