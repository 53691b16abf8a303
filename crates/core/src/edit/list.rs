//! Comma-separated header lists (RFC 9110 section 5.6.1), over all lines of a field.

use http::header::{AsHeaderName, HeaderMap, HeaderName, HeaderValue};

/// The members of a list-valued field, over all its lines, without surrounding blanks and empty members.
pub fn members(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|member| !member.is_empty())
}

/// Whether the list has a member, without regard to case.
pub fn contains(headers: &HeaderMap, name: impl AsHeaderName, member: &str) -> bool {
    members(headers, name).any(|have| have.eq_ignore_ascii_case(member))
}

/// The list with the members that are missing, as one line; `None` if none is.
#[must_use]
pub fn with(headers: &HeaderMap, name: &HeaderName, wanted: &[&'static str]) -> Option<HeaderValue> {
    if let ([only], false) = (wanted, headers.contains_key(name)) {
        return Some(HeaderValue::from_static(only));
    }
    let missing: Vec<&str> = wanted.iter().copied().filter(|member| !contains(headers, name.clone(), member)).collect();
    if missing.is_empty() {
        return None;
    }
    let all: Vec<&str> = members(headers, name.clone()).chain(missing).collect();
    HeaderValue::from_str(&all.join(", ")).ok()
}

/// A token of RFC 9110 section 5.6.2: what a method or a header name may consist of.
#[must_use]
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// One byte of a token.
#[must_use]
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use http::header::{ACCESS_CONTROL_EXPOSE_HEADERS, VARY};

    use super::*;

    #[test]
    fn merges_into_one_line() {
        let mut headers = HeaderMap::new();
        headers.append(VARY, HeaderValue::from_static("Accept, , origin"));
        headers.append(VARY, HeaderValue::from_static("X-A"));
        assert_eq!(with(&headers, &VARY, &["Origin"]), None);
        assert_eq!(with(&headers, &VARY, &["Origin", "X-B"]).unwrap(), "Accept, origin, X-A, X-B");
        assert_eq!(with(&headers, &ACCESS_CONTROL_EXPOSE_HEADERS, &["A"]).unwrap(), "A");
    }
}
