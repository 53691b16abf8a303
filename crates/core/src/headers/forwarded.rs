//! Who the client is, from what trusted proxies say (`X-Forwarded-For`, RFC 7239): the only place where that is read.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderName};

use super::X_FORWARDED_FOR;

/// The client behind a trusted peer: from the right, the first hop that is no trusted proxy itself. `None` if that cannot
/// be said for sure: the hop is no address, or both headers are there and name different ones (a proxy writes one of them
/// and passes the other on as a client sent it).
pub fn client(peer: IpAddr, headers: &HeaderMap, trusts: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let mut said = None;
    for hops in [hops(headers, &X_FORWARDED_FOR, Some), hops(headers, &FORWARDED, for_of)] {
        let Some(client) = first_stranger(&hops?, &trusts)? else { continue };
        if said.is_some_and(|other| other != client) {
            return None;
        }
        said = Some(client);
    }
    Some(said.unwrap_or(peer))
}

/// The client among the hops, each behind the next one; of trusted hops alone the farthest. Nothing if there are none.
fn first_stranger(hops: &[Option<&str>], trusts: impl Fn(IpAddr) -> bool) -> Option<Option<IpAddr>> {
    let mut last = None;
    for hop in hops.iter().rev() {
        let address = address(hop.as_ref()?)?;
        last = Some(address);
        if !trusts(address) {
            break;
        }
    }
    Some(last)
}

/// The hops of all lines of a header. `None` if a line is no text: what was left out of it might be the one that counts.
fn hops<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    node: impl Fn(&'a str) -> Option<&'a str>,
) -> Option<Vec<Option<&'a str>>> {
    let mut hops: Vec<&str> = Vec::new();
    for line in headers.get_all(name) {
        hops.extend(split(line.to_str().ok()?, ','));
    }
    // An empty element at the right is what a proxy wrote that knew no address.
    let says_nothing = hops.iter().all(|hop| hop.is_empty());
    Some(if says_nothing { Vec::new() } else { hops.into_iter().map(node).collect() })
}

/// The node after `for=` (RFC 7239 section 4).
fn for_of(element: &str) -> Option<&str> {
    let pairs = split(element, ';').into_iter().filter_map(|pair| pair.split_once('='));
    let mut nodes = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, node)| node.trim());
    // A parameter stands once (RFC 7239 section 4).
    nodes.next().filter(|_| nodes.next().is_none())
}

/// Splits where the separator stands outside quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut begin, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            letter if letter == separator && !is_quoted => {
                parts.push(text[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[begin..].trim());
    parts
}

/// An address, with or without a port, brackets and quotes. A name (`unknown`, `_hidden`) is none.
fn address(node: &str) -> Option<IpAddr> {
    let node = match node.strip_prefix('"') {
        Some(node) => node.strip_suffix('"')?,
        None => node,
    };
    let bare = node.strip_prefix('[').and_then(|node| node.strip_suffix(']')).unwrap_or(node);
    let address = bare.parse::<IpAddr>().ok().or_else(|| node.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// The client of a trusted peer, as text; 10.0.0.0/8 and loopback are trusted.
    fn client_of(lines: &[(&str, &str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = if *name == "F" { FORWARDED } else { X_FORWARDED_FOR };
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let trusts = |address: IpAddr| address.is_loopback() || address.to_string().starts_with("10.");
        client("10.0.0.1".parse().unwrap(), &headers, trusts).map(|client| client.to_string())
    }

    #[test]
    fn the_rightmost_stranger_is_the_client() {
        for (lines, expected) in [
            (&[][..], "10.0.0.1"),
            (&[("X", "9.9.9.9")], "9.9.9.9"),
            (&[("X", "6.6.6.6, 9.9.9.9")], "9.9.9.9"),
            (&[("X", "6.6.6.6, 9.9.9.9, 10.0.0.7")], "9.9.9.9"),
            (&[("X", "6.6.6.6"), ("X", "9.9.9.9,10.0.0.7"), ("X", "127.0.0.1")], "9.9.9.9"),
            // Whatever stands farther left is a stranger's word.
            (&[("X", "junk, unknown,, 9.9.9.9 ")], "9.9.9.9"),
            (&[("X", "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            (&[("X", "9.9.9.9:4711")], "9.9.9.9"),
            (&[("X", "2001:db8::1")], "2001:db8::1"),
            (&[("X", "[2001:db8::1]:4711, ::ffff:10.0.0.9")], "2001:db8::1"),
            (&[("X", "::ffff:9.9.9.9")], "9.9.9.9"),
            (&[("F", "for=6.6.6.6, For=\"[2001:db8::1]:80\";proto=https, for=10.0.0.2;by=\"a,b\"")], "2001:db8::1"),
            (&[("F", "proto=http;for=9.9.9.9"), ("X", "9.9.9.9")], "9.9.9.9"),
            (&[("X", "")], "10.0.0.1"),
        ] {
            assert_eq!(client_of(lines).as_deref(), Some(expected), "{lines:?}");
        }
    }

    #[test]
    fn what_cannot_be_said_for_sure_is_not_said() {
        for lines in [
            &[("X", "9.9.9.9, junk")][..],
            &[("X", "9.9.9.9, unknown, 10.0.0.2")],
            &[("X", "9.9.9.9, \u{e9}")],
            &[("X", "\u{e9}"), ("X", "9.9.9.9")],
            &[("X", "9.9.9.9 6.6.6.6")],
            &[("F", "for=_hidden")],
            &[("F", "by=9.9.9.9")],
            &[("F", "for=\"9.9.9.9")],
            // The left quote is the client's; the right hop was added to its line.
            &[("F", "for=\"6.6.6.6, for=9.9.9.9")],
            &[("F", "for=6.6.6.6"), ("X", "9.9.9.9")],
            &[("F", "for=9.9.9.9;for=6.6.6.6")],
            &[("F", "for=9.9.9.9, by=10.0.0.1")],
            &[("X", "9.9.9.9,")],
            &[("X", "9.9.9.9, ,")],
            &[("X", "9.9.9.9"), ("X", "")],
        ] {
            assert_eq!(client_of(lines), None, "{lines:?}");
        }
    }
}
