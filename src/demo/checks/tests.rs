//! The checks against the broken server, against the same behind a front that mends it by hand, and against that
//! front with one thing spoiled: a check that cannot fail, or cannot pass, checks nothing.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::*;
use crate::demo::broken::{self, Broken};

mod front;

use self::front::{Front, Spoil};

/// Serves a broken server that calls itself by this host, and gives its port.
async fn broken_server(host: &str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(broken::serve(listener, Arc::new(Broken::new(format!("http://{host}:{port}")))));
    port
}

/// What fails, by the page's words, through a front that spoils this.
async fn failing(spoil: Spoil) -> Vec<String> {
    let port = broken_server("localhost").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let public = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(front::serve(listener, Arc::new(Front { public: public.clone(), port, spoil })));
    let seen = walk(&public).await;
    let failed = CHECKS.iter().zip(&seen).filter(|(_, seen)| !seen.ok);
    failed.map(|(check, seen)| format!("{}: {}", check.page, seen.text)).collect()
}

#[test]
fn cells_have_their_width() {
    assert!((11..=15).contains(&CHECKS.len()));
    for check in CHECKS {
        assert!(check.page.chars().count() <= 46, "{}", check.page);
        assert!(check.expected.chars().count() <= WIDEST_SEEN + 2, "{}", check.expected);
    }
    assert_eq!(short(&"x".repeat(34)), "x".repeat(34));
    assert_eq!(short(&"é".repeat(35)), format!("{}…", "é".repeat(33)));
    assert_eq!(short("a\x1b[2Jb\n"), "a?[2Jb?");
}

#[tokio::test]
async fn no_check_passes_directly() {
    let port = broken_server("127.0.0.1").await;
    let seen = walk(&format!("http://127.0.0.1:{port}")).await;
    let texts: Vec<_> = seen.iter().map(|seen| seen.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "401 without WWW-Authenticate",
            "nothing exposed",
            "no Access-Control-Allow-Origin",
            "405",
            "405",
            "200, no Allow-Origin",
            "404 not_found",
            "public, max-age=3600",
            "401",
            "404 oauth-protected-resource",
            "401 invalid_request",
            seen[11].text.as_str(),
            "401 without WWW-Authenticate",
        ]
    );
    assert!(seen[11].text.starts_with("float 1") && seen[11].text.ends_with(".718"), "{}", seen[11].text);
    assert!(seen.iter().all(|seen| !seen.ok));
}

#[tokio::test]
async fn every_check_passes_once_mended() {
    assert_eq!(failing(Spoil::Nothing).await, Vec::<String>::new());
}

#[tokio::test]
async fn each_check_fails_for_its_own_reason() {
    for (spoil, expected) in [
        (Spoil::Header("POST /mcp", "www-authenticate", Some("Bearer")), &["POST /mcp", "login"][..]),
        (Spoil::Header("POST /mcp", "access-control-expose-headers", Some("Mcp-Session-Id")), &["Access-Control-E"]),
        (Spoil::Header("POST /mcp", "access-control-allow-origin", Some("*")), &["/mcp names"]),
        (Spoil::Header("POST /mcp", "vary", None), &["/mcp names"]),
        (Spoil::Header("OPTIONS /mcp", "access-control-allow-headers", Some("*")), &["OPTIONS /mcp"]),
        (
            Spoil::Header(
                "OPTIONS /.well-known/oauth-protected-resource",
                "access-control-allow-headers",
                Some("Authorization, Content-Type, Mcp-Session-Id"),
            ),
            &["OPTIONS oauth-protected"],
        ),
        (Spoil::Header("GET /.well-known/oauth-authorization-server", "cache-control", None), &["Cache-Control"]),
        (Spoil::Header("POST /register", "cache-control", None), &["POST /register"]),
        (Spoil::Iss, &["login"]),
        (Spoil::Resource, &["both documents"]),
    ] {
        let failed = failing(spoil).await;
        assert_eq!(failed.len(), expected.len(), "{spoil:?}: {failed:?}");
        for (failed, expected) in failed.iter().zip(expected) {
            assert!(failed.starts_with(expected), "{spoil:?}: {failed}");
        }
    }
}

#[tokio::test]
async fn an_address_that_is_none_fails_quietly() {
    for base in ["", "https://127.0.0.1:1", "http://", "http://127.0.0.1:1"] {
        let seen = walk(base).await;
        assert!(seen.len() == CHECKS.len() && seen.iter().all(|seen| !seen.ok), "{base}");
    }
}
