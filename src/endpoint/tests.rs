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
    let endpoints = Endpoints { token: "/oauth/token".into(), ..Endpoints::default() };
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
    let endpoints = Endpoints { token: "/oauth/token".into(), ..Endpoints::default() };
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
