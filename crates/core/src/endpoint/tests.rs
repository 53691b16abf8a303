use super::*;

fn class(path: &str) -> Class {
    classify(path, "/mcp", &Endpoints::default())
}

#[test]
fn names_every_place() {
    for (path, expected) in [
        ("/mcp", Class::Mcp),
        ("/mcp/", Class::Mcp),
        ("/mcp/x", Class::Other),
        ("/.well-known/jwks.json", Class::Keys),
        ("/token", Class::Token),
        ("/sse", Class::LegacySse),
        ("/.well-known/oauth-protected-resource", Class::ResourceMetadata),
        ("/.well-known/oauth-protected-resource/mcp", Class::ResourceMetadata),
        ("/mcp/.well-known/oauth-protected-resource", Class::ResourceMetadata),
        ("/.well-known/oauth-authorization-server/t/u", Class::ServerMetadata),
        ("/t/.well-known/openid-configuration", Class::ServerMetadata),
        ("/.well-known/oauth-protected-resources", Class::Other),
    ] {
        assert_eq!(class(path), expected, "{path}");
    }
}

#[test]
fn an_endpoint_that_takes_credentials_is_one_however_it_is_spelled() {
    for path in ["/MCP", "//mcp", "/mcp//", "/mcp%2f", "/%6dcp", "/./mcp", "/x/../mcp", "/mcp;a", "/mcp%00/../mcp"] {
        assert_eq!(class(path), Class::Mcp, "{path}");
    }
    for path in ["/token/", "/Token", "//token", "/x/..;/token"] {
        assert_eq!(class(path), Class::Token, "{path}");
    }
    assert_eq!(classify("/Api/MCP/", "/Api/MCP", &Endpoints::default()), Class::Mcp);
    assert_eq!(classify("/api/mcp", "/Api/MCP", &Endpoints::default()), Class::Mcp);
    for path in ["/mcpx", "/tokens", "/a/token", "/authorize/", "/"] {
        assert_eq!(class(path), Class::Other, "{path}");
    }
}

#[test]
fn a_guessed_path_is_an_endpoint_beside_the_named_one() {
    let endpoints = Endpoints::from(Paths { token: "/oauth/token".into(), ..Paths::default() });
    assert_eq!(classify("/oauth/token", "/mcp", &endpoints), Class::Token);
    assert_eq!(classify("/token", "/mcp", &endpoints), Class::Token);
    assert_eq!(endpoints.path_of(Class::Token), Some("/oauth/token"));
}

#[test]
fn a_path_that_may_be_read_two_ways_is_no_metadata() {
    for path in [
        "//.well-known/oauth-protected-resource",
        "/.well-known//oauth-protected-resource",
        "/x/../.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/%2e%2e/mcp",
        "/.well-known/oauth-protected-resource;x",
        "/.well-known/oauth-protected-resource/..;/mcp",
        "/.Well-Known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/./x",
        "/.well-known%2foauth-protected-resource",
        "/.well-known/oauth-protected-resource%00",
    ] {
        assert_eq!(class(path), Class::Other, "{path}");
    }
}

#[test]
fn knows_where_documents_live() {
    assert_eq!(
        resource_metadata_places("/mcp"),
        [
            "/.well-known/oauth-protected-resource/mcp",
            "/.well-known/oauth-protected-resource",
            "/mcp/.well-known/oauth-protected-resource"
        ]
    );
    assert_eq!(resource_metadata_places("/"), ["/.well-known/oauth-protected-resource"]);
    assert_eq!(server_metadata_places(""), [SERVER_METADATA, OPENID_CONFIGURATION]);
    assert_eq!(server_metadata_places("/t/").len(), 4);
}

#[test]
fn a_login_needs_no_other_place() {
    let endpoints = Endpoints::from(Paths { token: "/oauth/token".into(), ..Paths::default() });
    for mcp_path in ["/mcp", "/a/b", "/"] {
        let places = places_of_a_login(mcp_path, &endpoints);
        for place in &places {
            assert_ne!(classify(place, mcp_path, &endpoints), Class::Other, "{place}");
            assert_eq!(places.iter().filter(|other| *other == place).count(), 1, "{place}");
        }
        for class in [Class::Mcp, Class::ResourceMetadata, Class::ServerMetadata, Class::Register, Class::Token] {
            assert!(places.iter().any(|place| classify(place, mcp_path, &endpoints) == class), "{class:?}");
        }
    }
    assert_eq!(places_of_a_login("/mcp", &endpoints).len(), 15);
}

#[test]
fn a_document_is_read_and_anything_else_there_is_not_one() {
    let class = |method: Method, path: &str, asked: Option<&str>, mcp_path: &str| {
        let mut headers = HeaderMap::new();
        if let Some(asked) = asked {
            headers.insert("access-control-request-method", asked.parse().unwrap());
        }
        classify_request(&method, &path.parse().unwrap(), &headers, mcp_path, &Endpoints::default())
    };
    let (root, below) = ("/.well-known/oauth-protected-resource", "/mcp/.well-known/oauth-protected-resource");
    for (method, path, asked, mcp_path, is_document) in [
        (Method::GET, root, None, "/mcp", true),
        (Method::HEAD, root, None, "/mcp", true),
        (Method::OPTIONS, root, Some("GET"), "/mcp", true),
        (Method::OPTIONS, root, Some("HEAD"), "/", true),
        (Method::OPTIONS, root, None, "/mcp", true),
        (Method::OPTIONS, root, Some("POST"), "/mcp", false),
        (Method::OPTIONS, root, Some("POST"), "/", false),
        (Method::POST, root, None, "/mcp", false),
        (Method::DELETE, root, None, "/mcp", false),
        (Method::GET, below, None, "/mcp", true),
        (Method::OPTIONS, below, Some("GET"), "/mcp", true),
        (Method::OPTIONS, below, Some("POST"), "/mcp", false),
        (Method::POST, below, None, "/mcp", false),
        (Method::GET, "/mcp/x/.well-known/oauth-protected-resource", None, "/mcp", false),
        (Method::GET, "/mcp/.well-known/oauth-protected-resource/x", None, "/mcp", false),
    ] {
        assert_eq!(
            class(method.clone(), path, asked, mcp_path).is_metadata(),
            is_document,
            "{method} {path} {asked:?}"
        );
    }
}

#[test]
fn a_key_set_is_read_too() {
    for (method, class, may_be_message) in [
        (Method::GET, Class::Keys, false),
        (Method::HEAD, Class::Keys, false),
        (Method::POST, Class::Other, true),
        (Method::PUT, Class::Other, true),
    ] {
        let target = KEYS.parse().unwrap();
        let found = classify_request(&method, &target, &HeaderMap::new(), "/mcp", &Endpoints::default());
        let asked = guard::Asked { class: found, method: &method, path: KEYS, query: "" };
        let rules = asked.classes("/mcp", &Endpoints::default());
        assert_eq!((found, rules.has_messages()), (class, may_be_message), "{method}");
    }
}

#[test]
fn a_message_of_the_older_transport_is_one_in_any_spelling() {
    let rules = |path: &str, query: &str| {
        let asked = guard::Asked { class: Class::Other, method: &Method::POST, path, query };
        asked.classes("/mcp", &Endpoints::default())
    };
    for (path, query) in [
        ("/m", "sessionId=1"),
        ("/m", "session=1"),
        ("/m%3fsessionId=1", ""),
        ("/m", "%c1%b3essionId=1"),
        ("/m", "mcp-session-id=1"),
    ] {
        assert!(rules(path, query).has_messages(), "{path} {query}");
    }
    for (path, query) in [
        ("/m", "x=sessionId"),
        ("/session", ""),
        ("/shop/cart;jsessionid=1", ""),
        ("/chat", "chat_session_id=1"),
        ("/pay", "checkoutSessionId=1"),
    ] {
        assert!(!rules(path, query).has_messages(), "{path} {query}");
    }
}

#[test]
fn further_places_are_read_when_they_are_taken_in() {
    let mut endpoints = Endpoints::default();
    endpoints.add_further(Class::Token, "/b//token");
    endpoints.add_further(Class::Token, &format!("/{}", "//a".repeat(300)));
    for at in 0..1000 {
        endpoints.add_further(Class::Register, &format!("/c/register{at}"));
    }
    let takes = |path: &str| {
        let asked = guard::Asked { class: Class::Other, method: &Method::GET, path, query: "" };
        asked.classes("/mcp", &endpoints).takes_credentials()
    };
    assert!(
        takes("/b/token") && takes("/b/%74oken") && takes("/c/register1") && !takes("/x") && !takes("/c/register999")
    );
    assert_eq!(classify("/b/token", "/mcp", &endpoints), Class::Other, "nothing is mended there");
    assert!(endpoints.is_crowded() && endpoints.places.len() <= 256);
    let asked = guard::Asked { class: Class::Other, method: &Method::POST, path: "/c/register999", query: "" };
    assert!(
        asked.classes("/mcp", &endpoints).takes_credentials(),
        "any other path may be one of those that are not kept"
    );
}

#[test]
fn a_path_is_ambiguous_if_servers_may_read_another() {
    for path in ["", "/", "/realms/a", "/realms/My%20Realm", "/t/v2.0", "/%E4%BD%A0"] {
        assert!(is_unambiguous(path), "{path}");
    }
    for path in ["/x/..%2f..%2fadmin", "/x%3f", "/x/%2e%2e/y", "/x;y", "/x%5cy", "/%2561", "/x%00", "/%c0%af"] {
        assert!(!is_unambiguous(path), "{path}");
    }
}

mod routers;
