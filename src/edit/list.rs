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

/// Adds the members that are missing, as one line with those that were there. Answers whether anything was added.
pub fn add(headers: &mut HeaderMap, name: &HeaderName, wanted: &[&'static str]) -> bool {
    if let ([only], false) = (wanted, headers.contains_key(name)) {
        headers.insert(name.clone(), HeaderValue::from_static(only));
        return true;
    }
    let missing: Vec<&str> = wanted.iter().copied().filter(|member| !contains(headers, name.clone(), member)).collect();
    if missing.is_empty() {
        return false;
    }
    let all: Vec<&str> = members(headers, name.clone()).chain(missing).collect();
    let Ok(line) = HeaderValue::from_str(&all.join(", ")) else { return false };
    headers.insert(name.clone(), line);
    true
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
        assert!(!add(&mut headers, &VARY, &["Origin"]));
        assert!(add(&mut headers, &VARY, &["Origin", "X-B"]));
        assert_eq!(headers.get_all(VARY).iter().count(), 1);
        assert_eq!(headers[VARY], "Accept, origin, X-A, X-B");
        assert!(add(&mut headers, &ACCESS_CONTROL_EXPOSE_HEADERS, &["A"]));
        assert_eq!(headers[ACCESS_CONTROL_EXPOSE_HEADERS], "A");
    }
}
