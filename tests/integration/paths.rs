//! Paths that two servers could read as different ones are forwarded as they came and never treated as metadata.

use crate::kit::{Proxy, Upstream, get, json, post};

#[tokio::test]
async fn a_path_with_two_readings_is_no_metadata_and_passes_byte_for_byte() {
    let upstream =
        Upstream::always(json("200 OK", r#"{"issuer":"http://localhost:3000","resource":"http://x/"}"#)).await;
    let proxy = Proxy::to(&upstream).set("show_repairs", "true").set("repairs", "transport.origin-foreign=off").start();
    let mut client = proxy.connect().await;
    for path in [
        "//.well-known/oauth-protected-resource",
        "/.well-known//oauth-protected-resource",
        "/x/../.well-known/oauth-protected-resource",
        "/./.well-known/oauth-authorization-server",
        "/.well-known/./oauth-authorization-server",
        "/mcp/../.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource/../../mcp",
        "/.well-known/oauth-protected-resource/%2e%2e/mcp",
        "/.well-known/oauth-protected-resource/%2E./mcp",
        "/.well-known/oauth-protected-resource/..;/mcp",
        "/.well-known/oauth-protected-resource;x=1",
        "/.well-known/oauth-protected-resource%00",
        "/.well-known/oauth-protected-resource%2fmcp",
        "/.well-known/oauth-protected-resource%5cmcp",
        "/.well-known/oauth-protected-resource\\mcp",
        "/.well-known%2foauth-protected-resource",
        "/.Well-Known/oauth-protected-resource",
        "/.well-known/OAuth-Protected-Resource",
        "/%2ewell-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource//mcp",
        "/.well-known/oauth-protected-resource/./mcp",
        "/.well-known/oauth-protected-resource/mcp?x=/../../mcp&y=%00",
        "/mcp//.well-known/openid-configuration",
        "/mcp/%2e%2e/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/..%2fmcp",
    ] {
        client.send(get(path, &["Origin: https://evil.example"])).await;
        let answer = client.reply().await;
        if answer.status() == 400 {
            client = proxy.connect().await;
            continue;
        }
        assert_eq!(upstream.seen().pop().unwrap().target(), path);
        if !path.contains('?') {
            assert_eq!((answer.get("access-control-allow-origin"), answer.get("mcp-mend")), (None, None), "{path}");
            assert!(answer.text().contains("localhost:3000"), "{path}");
        }
    }
}

#[tokio::test]
async fn other_spellings_of_an_endpoint_get_no_star_and_no_favours() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("repairs", "transport.origin-foreign=off").start();
    for path in ["//mcp", "/./mcp", "/x/../mcp", "/%6dcp", "/MCP", "/mcp;x", "/mcp%00", "/mcp/.", "/token/", "//token"]
    {
        let answer = proxy.ask(post(path, &["Origin: https://evil.example"], "{}")).await;
        assert_eq!((answer.status(), answer.get("access-control-allow-origin")), (200, None), "{path}");
        assert_eq!(upstream.seen().pop().unwrap().target(), path);
    }
}

#[tokio::test]
async fn targets_arrive_byte_for_byte() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).start();
    for target in ["/a?", "/a??b", "/?a=%20+%2B", "/%7Ea~", "/a?b=c&b=d", "/a'()*!$,;:@", "/a?x={}|^`", "/%zz", "/%"] {
        let answer = proxy.ask(get(target, &[])).await;
        assert!(
            answer.status() == 400 || upstream.seen().pop().is_some_and(|seen| seen.target() == target),
            "{target}"
        );
    }
}
