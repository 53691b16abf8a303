//! Sessions of Streamable HTTP (MCP 2025-03-26 to 2025-11-25): how they are named, kept apart and lost.
//!
//! An id of ours carries the upstream's own id, and perhaps cookies, encrypted and authenticated (`seal.rs`). Any replica
//! with the same key can open it, nothing is stored, and neither the client nor a page can read or make one.

pub mod cookie_needed;
pub mod id_illegal;
pub mod lost;
pub mod sealed;

use http::HeaderValue;

use super::transport;
use crate::exchange::{Facts, Request};

/// Every sealed id begins with this. An id of an upstream that begins so is sealed as well (`session.id-illegal`).
pub const SEALED: &str = "mend-";
/// Between the upstream's id and its cookies in what is sealed. No header value has this byte.
const BEFORE_COOKIES: u8 = 0;
/// A longer id than this would not pass everywhere as a header.
const LONGEST: usize = 4096;

/// What a sealed id stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The id that the upstream gave out.
    pub id: HeaderValue,
    /// The value of the `Cookie` field that belongs to it.
    pub cookies: Option<String>,
}

/// Whether an id is what a program prints for none.
pub fn is_none(id: &HeaderValue) -> bool {
    let text = id.as_bytes().trim_ascii();
    text.is_empty() || [&b"null"[..], b"undefined", b"none"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether an id is visible ASCII (MCP 2025-11-25, Session Management).
fn is_legal(id: &HeaderValue) -> bool {
    id.as_bytes().iter().all(u8::is_ascii_graphic)
}

/// Whether an id begins as ours do. Only opening it tells whether it is one.
pub fn is_marked(id: &HeaderValue) -> bool {
    id.as_bytes().starts_with(SEALED.as_bytes())
}

/// What a sealed id is bound to: the id of one site or deployment does not open at another.
fn bound_to(facts: &Facts) -> [&str; 3] {
    [facts.public.as_str(), facts.upstream.as_str(), &facts.mcp_path]
}

/// The sealed form of an id and of the cookies that belong to it; `None` without a key.
pub fn seal(facts: &Facts, id: &HeaderValue, cookies: Option<&str>) -> Option<HeaderValue> {
    let mut plain = id.as_bytes().to_vec();
    if let Some(cookies) = cookies {
        plain.push(BEFORE_COOKIES);
        plain.extend_from_slice(cookies.as_bytes());
    }
    let letters = facts.seal.seal(&bound_to(facts), &plain)?;
    HeaderValue::from_str(&format!("{SEALED}{letters}")).ok()
}

/// What a sealed id stands for; `None` if it was not sealed for this site with one of its keys.
pub fn open(facts: &Facts, sealed: &HeaderValue) -> Option<Opened> {
    let letters = sealed.to_str().ok()?.strip_prefix(SEALED)?;
    let plain = facts.seal.open(&bound_to(facts), letters)?;
    let mut parts = plain.splitn(2, |byte| *byte == BEFORE_COOKIES);
    let id = HeaderValue::from_bytes(parts.next()?).ok()?;
    let cookies = parts.next().map(|cookies| String::from_utf8(cookies.to_vec())).transpose().ok()?;
    Some(Opened { id, cookies })
}

/// The sealed id by which the client named this session, if the upstream names it by its own id in the answer.
fn name_sent(facts: &Facts, request: &Request, own: &HeaderValue) -> Option<HeaderValue> {
    let sent = request.session().filter(|sent| is_marked(sent))?;
    open(facts, sent).filter(|opened| opened.id == *own).map(|_| sent.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use crate::repair::SiteKind;
    use crate::seal::SealKeys;

    fn value(bytes: &[u8]) -> HeaderValue {
        HeaderValue::from_bytes(bytes).unwrap()
    }

    #[test]
    fn an_id_and_its_cookies_come_out_as_they_went_in() {
        let facts = example::facts(SiteKind::Open);
        for id in [&b"s1"[..], b"a b", b"\xff\t\xe4", b"mend-x", b"s1.at-AbC-_1"] {
            for cookies in [None, Some("a=1"), Some("a=1; b=\u{e4}")] {
                let sealed = seal(&facts, &value(id), cookies).unwrap();
                let expected = Opened { id: value(id), cookies: cookies.map(str::to_owned) };
                assert!(is_marked(&sealed) && is_legal(&sealed));
                assert_eq!(open(&facts, &sealed), Some(expected), "{id:?} {cookies:?}");
            }
        }
    }

    #[test]
    fn a_cookie_cannot_be_read_in_an_id() {
        let facts = example::facts(SiteKind::Open);
        let sealed = seal(&facts, &value(b"s1"), Some("sid=s3cret-cookie")).unwrap();
        let text = sealed.to_str().unwrap();
        for hidden in ["s1", "sid", "s3cret", "c2lk", "czNjcmV0"] {
            assert!(!text.contains(hidden), "{text}");
        }
    }

    #[test]
    fn an_id_of_another_site_deployment_or_form_does_not_open() {
        let facts = example::facts(SiteKind::Open);
        let other = |change: fn(&mut Facts)| {
            let mut other = facts.clone();
            change(&mut other);
            other
        };
        let sealed = seal(&facts, &value(b"s1"), Some("a=1")).unwrap();
        for (what, facts) in [
            ("public", other(|facts| facts.public = facts.upstream.clone())),
            ("upstream", other(|facts| facts.upstream = facts.public.clone())),
            ("path", other(|facts| facts.mcp_path = "/".into())),
            ("key", other(|facts| facts.seal = SealKeys::of(&["another secret of thirty-two bytes"]))),
            ("no key", other(|facts| facts.seal = SealKeys::default())),
        ] {
            assert_eq!(open(&facts, &sealed), None, "{what}");
        }
        // What earlier versions wrote, which anybody can write.
        for forged in ["mend-id-YSBi", "mend-", "mend-YT0x", "s1.mend-YT0x", "mend-\u{e4}"] {
            assert_eq!(open(&facts, &value(forged.as_bytes())), None, "{forged}");
        }
    }
}
