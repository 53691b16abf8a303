//! Who may ask at all, by address (`[access]`). A user agent never lets anybody in; nor does a header, unless a trusted
//! proxy has written it.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::endpoint::Class;
use crate::endpoint::guard::Classes;

/// The networks that are let in, and where it matters. An empty list lets nobody in: to let everybody in there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    networks: Vec<IpNet>,
    classes: Classes,
}

impl Admission {
    #[must_use]
    pub fn new(networks: &[IpNet], classes: &[Class]) -> Self {
        Self { networks: IpNet::aggregate(&networks.to_vec()), classes: Classes::of(classes) }
    }

    /// Whether the client may ask everything. One whose address nobody knows may not.
    #[must_use]
    pub fn admits(&self, client: Option<IpAddr>) -> bool {
        // An IPv4 client of a dual-stack listener is an IPv4 client (RFC 4291 section 2.5.5.2).
        let client = client.map(|address| address.to_canonical());
        client.is_some_and(|client| self.networks.iter().any(|network| network.contains(&client)))
    }

    /// Whether only those may ask this: one of the classes for which a lenient server may take the request is closed.
    #[must_use]
    pub fn is_closed(&self, classes: Classes) -> bool {
        self.classes.intersects(classes)
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::endpoint::guard::Asked;
    use crate::endpoint::{self, Endpoints, Paths};

    fn admission(networks: &[&str]) -> Admission {
        let networks: Vec<IpNet> = networks.iter().map(|text| crate::ranges::network(text).unwrap()).collect();
        Admission::new(&networks, &[Class::Mcp, Class::Token])
    }

    #[test]
    fn an_address_is_in_or_out() {
        let some = admission(&["10.0.0.0/9", "10.128.0.0/9", "192.0.2.7", "2001:db8::/32", "::ffff:198.51.100.0/120"]);
        for (client, is_in) in [
            ("10.1.2.3", true),
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
            ("::ffff:10.1.2.3", true),
            ("::ffff:11.0.0.1", false),
            ("198.51.100.9", true),
            ("::10.1.2.3", false),
        ] {
            assert_eq!(some.admits(Some(client.parse().unwrap())), is_in, "{client}");
        }
        assert!(!some.admits(None));
        assert!(!admission(&[]).admits(Some("127.0.0.1".parse().unwrap())), "an empty list lets nobody in");
    }

    #[test]
    fn what_is_closed_stays_closed_however_it_is_spelled() {
        let endpoints = Endpoints::from(Paths { token: "/OAuth/Token".into(), ..Paths::default() });
        let some = admission(&[]);
        let is_closed = |method: Method, path: &str, mcp_path: &str| {
            let target = path.parse().unwrap();
            let class = endpoint::classify_request(&method, &target, &http::HeaderMap::new(), mcp_path, &endpoints);
            let asked = Asked { class, method: &method, path, query: "" };
            some.is_closed(asked.classes(mcp_path, &endpoints))
        };
        for path in [
            "/mcp",
            "/mcp/",
            "/MCP",
            "//mcp",
            "/mcp/x",
            "/mcp/x/../y",
            "/%6dcp",
            "/mcp;a/b",
            "/mcp%2fx",
            "/x/../mcp/y",
            "/mcp/../y",
            "/mcp.json",
            "/%256dcp",
            "/token",
            "/Token/",
            "/oauth/token",
            "/OAuth//Token",
        ] {
            assert!(is_closed(Method::POST, path, "/mcp"), "{path}");
            assert!(is_closed(Method::GET, path, "/mcp"), "{path}");
        }
        let appended = "/mcp/.well-known/oauth-protected-resource";
        assert!(!is_closed(Method::GET, appended, "/mcp") && is_closed(Method::POST, appended, "/mcp"));
        // A document is read; what else is sent there may be taken for a message.
        let document = "/.well-known/oauth-authorization-server";
        assert!(!is_closed(Method::GET, document, "/mcp") && is_closed(Method::POST, document, "/mcp"));
        for path in ["/", "/authorize", "/login", "/mcpx", "/register"] {
            assert!(!is_closed(Method::GET, path, "/mcp"), "{path}");
            assert!(!is_closed(Method::POST, path, "/mcp"), "{path}");
        }
        // An MCP endpoint at the root is not all of the server: the login's pages are there, too.
        for (path, expected) in [("/", true), ("//", true), ("/./", true), ("/login", false)] {
            assert_eq!(is_closed(Method::POST, path, "/"), expected, "{path}");
        }
    }
}
