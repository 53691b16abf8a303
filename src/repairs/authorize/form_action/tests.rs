use super::*;

fn own() -> Origin {
    Origin::of("https://mcp.example.com").unwrap()
}

fn sources(redirect_uri: &str) -> Vec<String> {
    places(redirect_uri).unwrap_or_default().iter().map(Place::source).collect()
}

#[test]
fn names_nothing_but_the_way_back() {
    for (redirect_uri, added) in [
        ("https://claude.ai/api/mcp/auth_callback", vec!["https://claude.ai", "claude:"]),
        ("https://claude.com/api/mcp/auth_callback", vec!["https://claude.com", "claude:"]),
        ("https://claude.ai/api/mcp/auth_callback?x", vec!["https://claude.ai"]),
        ("https://claude.ai/other", vec!["https://claude.ai"]),
        ("https://C.example:443/cb", vec!["https://c.example"]),
        ("https://c.example:8443/cb", vec!["https://c.example:8443"]),
        ("http://localhost:3118/callback", vec!["http://localhost:3118"]),
        ("http://127.0.0.1/cb", vec!["http://127.0.0.1"]),
        ("Cursor://a/cb", vec!["cursor:"]),
        ("com.example.app:/cb", vec!["com.example.app:"]),
        ("http://c.example/cb", vec![]),
        ("http://[::1]:9/cb", vec![]),
        ("https://u:p@c.example/cb", vec![]),
        ("https://*/cb", vec![]),
        ("https://%2A.example/cb", vec![]),
        ("https://c.example/cb;script-src *", vec![]),
        ("https://c.example/cb;x", vec![]),
        ("https://c.example/cb,x", vec![]),
        ("https://c.example/'self'", vec![]),
        ("https://c.example/ x", vec![]),
        ("https://c.exam\nple/", vec![]),
        ("javascript:alert(1)", vec![]),
        ("data:text/html,x", vec![]),
        ("data:text/html", vec![]),
        ("blob:https://c.example/x", vec![]),
        ("file:///etc/passwd", vec![]),
        ("vbscript:x", vec![]),
        ("about:blank", vec![]),
        ("view-source:x", vec![]),
        ("filesystem:x", vec![]),
        ("wss://c.example/", vec![]),
        ("/cb", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(sources(redirect_uri), added, "{redirect_uri}");
    }
}

#[test]
fn adds_only_what_is_not_let_through() {
    let https = "https://c.example/cb";
    let port = "https://c.example:8443/cb";
    let loopback = "http://localhost:3118/cb";
    for (redirect_uri, list, is_let) in [
        (https, "'self'", false),
        (https, "*", true),
        (https, "https:", true),
        (https, "http:", true),
        (https, "HTTPS://C.EXAMPLE", true),
        (https, "https://c.example/other/path", true),
        (https, "http://c.example", true),
        (https, "http://c.example:80", true),
        (https, "c.example", true),
        (https, "*.example", true),
        (https, "*.c.example", false),
        (https, "https://c.example:*", true),
        (https, "https://c.example:8443", false),
        (https, "https://c.example.evil.example", false),
        (https, "'none' 'self'", false),
        (port, "https://c.example", false),
        (port, "https://c.example:8443", true),
        (loopback, "https:", false),
        (loopback, "localhost:3118", false),
        (loopback, "http://localhost:*", true),
        (loopback, "http://localhost", false),
        ("cursor://a/cb", "*", false),
        ("cursor://a/cb", "cursor:", true),
        ("cursor://a/cb", "https:", false),
        // The hop into the desktop app is stopped although the callback is not.
        ("https://claude.ai/api/mcp/auth_callback", "https://claude.ai", false),
    ] {
        let places = places(redirect_uri).unwrap();
        let wider = widened(&format!("form-action {list}"), &places, &own());
        assert_eq!(wider.is_none(), is_let, "{redirect_uri} {list}: {wider:?}");
        if let Some(wider) = wider {
            assert_eq!(widened(&wider, &places, &own()), None, "a second pass: {wider}");
        }
    }
    let itself = places("https://mcp.example.com/cb").unwrap();
    assert_eq!(widened("form-action 'self'", &itself, &own()), None);
}

#[test]
fn every_other_byte_stays() {
    let places = places("https://c.example/cb").unwrap();
    for (before, after) in [
        ("form-action 'self'", Some("form-action 'self' https://c.example")),
        (" form-action\t'self' ; a", Some(" form-action\t'self' https://c.example ; a")),
        ("a b;FORM-ACTION x;;", Some("a b;FORM-ACTION x https://c.example;;")),
        ("form-action a, form-action b,c", Some("form-action a https://c.example, form-action b https://c.example,c")),
        ("form-action a; form-action b", Some("form-action a https://c.example; form-action b")),
        ("form-action 'none'; form-action b", None),
        ("form-action", None),
        ("form-action;x", None),
        ("form-actions a", None),
        ("default-src 'self'", None),
        ("", None),
    ] {
        assert_eq!(widened(before, &places, &own()).as_deref(), after, "{before}");
    }
}
