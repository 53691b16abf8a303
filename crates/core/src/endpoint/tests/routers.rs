//! How the routers of common frameworks read a path, written down apart from the product: whatever one of them takes for a
//! guarded place has to be guarded.

use http::Method;
use proptest::prelude::*;

use super::*;
use crate::endpoint::guard::{Asked, Classes};

/// The bytes of a path, decoded once.
fn decoded(path: &str) -> String {
    percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// Without dot segments, as path.Clean of Go and RFC 3986 section 5.2.4 have it; `merges` says whether empty segments go.
fn cleaned(path: &str, merges: bool) -> String {
    let mut out: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            "" if merges => {}
            ".." => drop(out.pop()),
            segment => out.push(segment),
        }
    }
    format!("/{}", out.join("/"))
}

/// The path of a target that is read as a URL, as `urlsplit` of Python does: behind two slashes there is a host.
fn split(path: &str) -> &str {
    let Some(rest) = path.strip_prefix("//") else { return path };
    rest.find('/').map_or("", |end| &rest[end..])
}

/// The path of a target that is read as a URL, as `new URL(target, base).pathname` of Node does: a backslash is a slash, any
/// number of them stands before a host, and dot segments go, encoded ones too (WHATWG URL section 4.4).
fn pathname(path: &str) -> String {
    let path = path.replace('\\', "/");
    let path = match path.strip_prefix("//") {
        None => path.as_str(),
        Some(rest) => {
            let rest = rest.trim_start_matches('/');
            rest.find('/').map_or("/", |end| &rest[end..])
        }
    };
    let dotted = |segment: &str| match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
        dots @ ("." | "..") => dots.to_owned(),
        _ => segment.to_owned(),
    };
    cleaned(&path.split('/').map(dotted).collect::<Vec<_>>().join("/"), false)
}

/// A reader of UTF-8 that checks nothing, behind a decoder of `%u006d`.
fn laxly_decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once("%u") {
        bytes.extend(percent_encoding::percent_decode_str(before));
        let unit = after.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
        match unit {
            Some(letter) => bytes.extend(letter.to_string().bytes()),
            None => bytes.extend(b"%u"),
        }
        rest = if unit.is_some() { &after[4..] } else { after };
    }
    bytes.extend(percent_encoding::percent_decode_str(rest));
    let mut out = String::new();
    let mut at = 0;
    while at < bytes.len() {
        let byte = |offset: usize| u32::from(bytes[at + offset] & 63);
        let (length, code) = match bytes[at] {
            lead @ 0xc0..=0xdf if at + 1 < bytes.len() => (2, u32::from(lead & 31) << 6 | byte(1)),
            lead @ 0xe0..=0xef if at + 2 < bytes.len() => (3, u32::from(lead & 15) << 12 | byte(1) << 6 | byte(2)),
            lead => (1, u32::from(lead)),
        };
        out.push(char::from_u32(code).unwrap_or('?'));
        at += length;
    }
    out
}

/// What a front controller in PHP routes.
fn path_info(path: &str) -> &str {
    path.strip_prefix("/index.php").filter(|rest| rest.starts_with('/')).unwrap_or(path)
}

fn without_parameters(path: &str) -> String {
    path.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect::<Vec<_>>().join("/")
}

/// What each router compares, and how: with or without case, with a slash at the end, with a format, with all below.
struct Router {
    name: &'static str,
    read: fn(&str) -> String,
    ignores_case: bool,
    ignores_slash: bool,
    takes_format: bool,
}

const ROUTERS: &[Router] = &[
    Router { name: "Starlette", read: decoded, ignores_case: false, ignores_slash: true, takes_format: false },
    Router { name: "Express", read: str::to_owned, ignores_case: true, ignores_slash: true, takes_format: false },
    Router {
        name: "Spring",
        read: |path| cleaned(&decoded(&without_parameters(path)), true),
        ignores_case: false,
        ignores_slash: true,
        takes_format: true,
    },
    Router {
        name: "Rails",
        read: |path| decoded(&cleaned(path, true)),
        ignores_case: false,
        ignores_slash: true,
        takes_format: true,
    },
    Router {
        name: "ASP.NET",
        read: |path| cleaned(&decoded(path).replace('\\', "/"), false),
        ignores_case: true,
        ignores_slash: true,
        takes_format: false,
    },
    Router {
        name: "Go's mux",
        read: |path| cleaned(&decoded(path), true),
        ignores_case: false,
        ignores_slash: true,
        takes_format: false,
    },
    Router {
        name: "nginx",
        read: |path| cleaned(&decoded(path), true),
        ignores_case: false,
        ignores_slash: false,
        takes_format: false,
    },
    Router {
        name: "nginx before Express",
        read: |path| decoded(&cleaned(&decoded(path), true)),
        ignores_case: true,
        ignores_slash: true,
        takes_format: false,
    },
    Router { name: "Node", read: pathname, ignores_case: false, ignores_slash: false, takes_format: false },
    Router {
        name: "Node, decoded",
        read: |path| decoded(&pathname(path)),
        ignores_case: false,
        ignores_slash: true,
        takes_format: false,
    },
    Router {
        name: "urlsplit",
        read: |path| decoded(split(path)),
        ignores_case: false,
        ignores_slash: true,
        takes_format: false,
    },
    Router {
        name: "urlsplit behind nginx",
        read: |path| decoded(split(&decoded(path))),
        ignores_case: false,
        ignores_slash: true,
        takes_format: false,
    },
    Router {
        name: "IIS of old",
        read: |path| cleaned(&laxly_decoded(path), true),
        ignores_case: true,
        ignores_slash: true,
        takes_format: false,
    },
    Router {
        name: "Laravel",
        read: |path| decoded(path_info(path)),
        ignores_case: false,
        ignores_slash: true,
        takes_format: false,
    },
    Router {
        name: "Laravel behind nginx",
        read: |path| path_info(&cleaned(&decoded(path), true)).to_owned(),
        ignores_case: false,
        ignores_slash: true,
        takes_format: false,
    },
    Router {
        name: "Tomcat behind nginx",
        read: |path| cleaned(&decoded(&without_parameters(&decoded(path))), true),
        ignores_case: false,
        ignores_slash: true,
        takes_format: false,
    },
];

impl Router {
    /// Whether it hands this path to the handler of a place, or to one that is mounted there and takes all below.
    fn serves(&self, path: &str, place: &str, takes_below: bool) -> bool {
        let fold = |text: &str| if self.ignores_case { text.to_lowercase() } else { text.to_owned() };
        let (read, place) = (fold(&(self.read)(path)), fold(place));
        let Some(rest) = read.strip_prefix(&place) else { return false };
        rest.is_empty()
            || (self.ignores_slash && rest == "/")
            || (self.takes_format && rest.starts_with('.') && !rest.contains('/') && rest.len() > 1)
            || (takes_below && rest.starts_with('/'))
    }
}

const MCP: &str = "/api/mcp";

fn rules(method: &Method, path: &str) -> Classes {
    let endpoints = Endpoints::from(Paths { token: "/oauth/issue".into(), ..Paths::default() });
    let target = path.parse().unwrap();
    let class = classify_request(method, &target, &HeaderMap::new(), MCP, &endpoints);
    Asked { class, method, path, query: "" }.classes(MCP, &endpoints)
}

/// A segment in some spelling: letters in either case, each perhaps encoded once or twice; parameters, blanks.
fn spelled(segment: &'static str) -> impl Strategy<Value = String> {
    let letters = segment.chars().map(|letter| {
        prop_oneof![
            6 => Just(letter.to_string()),
            2 => Just(letter.to_ascii_uppercase().to_string()),
            1 => Just(format!("%{:02x}", letter as u32)),
            1 => Just(format!("%25{:02X}", letter as u32)),
            1 => Just(format!("%u{:04x}", letter as u32)),
            1 => Just(format!("%{:02x}%{:02x}", 0xc0 | (letter as u32 >> 6), 0x80 | (letter as u32 & 63))),
        ]
    });
    let end = prop_oneof![8 => Just(""), 1 => Just(";"), 1 => Just(";a=b"), 1 => Just(".json"), 1 => Just(".")];
    (letters.collect::<Vec<_>>(), end).prop_map(|(letters, end)| letters.concat() + end)
}

/// What may stand between and around the segments of a place.
fn filler() -> impl Strategy<Value = String> {
    let one = prop::sample::select(vec![
        "",
        ".",
        "..",
        "%2e",
        "%2e%2e",
        "%252e%252e",
        "..;",
        "x",
        "x/..",
        "x/%2e%2e",
        "x//..",
        "api/mcp",
        ".well-known",
        ".well-known/oauth-protected-resource",
        "%2f",
        "%5c..",
        "..%2f",
        "/x",
        "/x:80",
        "index.php",
        "%69ndex.php",
        "%u002e%c0%ae",
        "x%e0%80%af..",
        "\\x",
    ]);
    prop::collection::vec(one, 0..3).prop_map(|all| all.into_iter().map(|one| format!("/{one}")).collect())
}

fn slash() -> impl Strategy<Value = &'static str> {
    prop_oneof![9 => Just("/"), 1 => Just("%2f"), 1 => Just("//"), 1 => Just("%5c")]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_router_takes_for_a_guarded_place_is_guarded(
        before in filler(),
        (first, second, third) in prop_oneof![
            (spelled("api"), spelled("mcp"), Just(String::new())),
            (spelled("oauth"), spelled("issue"), Just(String::new())),
            (spelled("register"), Just(String::new()), Just(String::new())),
            (spelled("sse"), Just(String::new()), Just(String::new())),
        ],
        between in slash(),
        after in filler(),
    ) {
        let middle = if second.is_empty() { String::new() } else { format!("{between}{second}") };
        let path = format!("{before}/{first}{middle}{third}{after}");
        let documents = [MCP, LEGACY_SSE].map(|at| [RESOURCE_METADATA, SERVER_METADATA, OPENID_CONFIGURATION].map(|name| format!("{at}{name}")));
        let is_document = documents.as_flattened().contains(&path);
        for method in [Method::POST, Method::GET, Method::DELETE] {
            let held = rules(&method, &path);
            let is_read = is_document && method == Method::GET;
            for router in ROUTERS {
                if !is_read && (router.serves(&path, MCP, true) || router.serves(&path, LEGACY_SSE, true)) {
                    prop_assert!(held.has_messages(), "{} takes {method} {path} for a message", router.name);
                }
                for (place, class) in [("/oauth/issue", Class::Token), ("/token", Class::Token), ("/register", Class::Register)] {
                    if router.serves(&path, place, false) {
                        prop_assert!(held.contains(class), "{} takes {method} {path} for {place}", router.name);
                    }
                }
            }
        }
    }
}

#[test]
fn the_routers_are_as_lenient_as_they_are_said_to_be() {
    let serves = |name: &str, path: &str| {
        ROUTERS.iter().find(|router| router.name == name).is_some_and(|router| router.serves(path, MCP, true))
    };
    for (name, path, expected) in [
        ("Starlette", "/%61pi/mcp/.well-known/x", true),
        ("Starlette", "/API/mcp", false),
        ("Express", "/API/mcp/", true),
        ("Express", "/%61pi/mcp", false),
        ("Spring", "/api;x/mcp.json", true),
        ("Rails", "//api//mcp.xml", true),
        ("ASP.NET", "/x/%2e%2e/Api\\MCP", true),
        ("Go's mux", "/x/..%2fapi/mcp", true),
        ("nginx", "/api/%6dcp", true),
        ("nginx before Express", "/api/%256dcp", true),
        ("Node", "//x/api/mcp", true),
        ("Node", "/\\/x\\y/%2E./api/mcp/z", true),
        ("Node", "/api/%6dcp", false),
        ("urlsplit", "//x/api/mcp", true),
        ("urlsplit", "///x/api/mcp", false),
        ("urlsplit", "/\\x/api/mcp", false),
        ("urlsplit behind nginx", "/%2fx/api/mcp", true),
        ("IIS of old", "/%u0061pi%c0%af%c1%adcp", true),
        ("IIS of old", "/x%e0%80%af..%u002fapi/mcp", true),
        ("Laravel", "/index.php/api/mcp", true),
        ("Laravel", "/index.phpx/api/mcp", false),
        ("Laravel behind nginx", "/x/..//%69ndex.php//api/mcp", true),
    ] {
        assert_eq!(serves(name, path), expected, "{name} {path}");
    }
}
