mod everywhere;
mod sealed;

use std::time::SystemTime;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use super::*;
use crate::example;
use crate::repair::SiteKind;
use crate::tape::{Text, Turn};

fn redactor() -> Redactor {
    Redactor::new([7; 32]).knowing(&example::facts(SiteKind::Cohosted))
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    };
    lines.iter().filter_map(pair).collect()
}

fn text(body: &str) -> Text {
    Text::whole(&Bytes::copy_from_slice(body.as_bytes()))
}

/// An exchange of a class: what was asked, and an answer that the client got as it came.
fn taped(
    class: Class,
    asked: (&str, &str, &[(&str, &str)], &str),
    came: (u16, &[(&str, &str)], &str),
) -> RecordedExchange {
    let (method, target, lines, body) = asked;
    let asked = Asked {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        target: target.parse().unwrap(),
        headers: headers(lines),
        body: text(body),
    };
    let came = Came { status: StatusCode::from_u16(came.0).unwrap(), headers: headers(came.1), body: text(came.2) };
    RecordedExchange {
        site: None,
        number: 1,
        began: SystemTime::UNIX_EPOCH,
        client: "203.0.113.7".parse().unwrap(),
        class,
        turns: vec![Turn { asked: asked.clone(), came: Some(came.clone()) }],
        asked,
        answered: came,
        fired: Vec::new(),
        known: Arc::new(example::knowledge(SiteKind::Cohosted)),
        untouched: None,
        refused: None,
        first_byte: Duration::ZERO,
        total: Duration::ZERO,
        bytes: 0,
        ending: Some(Ending::Whole),
    }
}

/// All that is ever written of an exchange.
fn written(redacted: &Redacted) -> String {
    let turns = redacted.turns.iter().flat_map(|(asked, came)| [Some(asked), came.as_ref()]).flatten();
    let messages = [&redacted.asked, &redacted.answered].into_iter().chain(turns);
    let mut out: Vec<String> = messages.map(Message::text).collect();
    out.extend(redacted.fired.iter().map(|fired| fired.finding.what.to_string()));
    out.push(redacted.agent.clone());
    out.push(format!("{:?}", redacted.signs));
    out.join("\n")
}

const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const EVENTS: &[(&str, &str)] = &[("content-type", "text/event-stream")];

#[test]
fn a_registration_stays_readable() {
    let redacted = redactor().redact(&taped(
        Class::Register,
        (
            "POST",
            "/register",
            JSON,
            r#"{"client_name":"Claude","redirect_uris":["https://claude.ai/api/mcp/auth_callback"],"grant_types":["authorization_code"],"scope":"mcp:read"}"#,
        ),
        (
            201,
            JSON,
            r#"{ "client_id": "b0e1c2d3-x", "client_secret": "hush-hush", "client_secret_expires_at": 1.5, "client_id_issued_at": "1749600000",
 "redirect_uris": null, "token_endpoint_auth_method": "client_secret_post", "client_id": 123456 }"#,
        ),
    ));
    assert_eq!(
        redacted.asked.body,
        r#"{"client_name":"Claude","redirect_uris":["https://claude.ai/api/mcp/auth_callback"],"grant_types":["authorization_code"],"scope":"mcp:read"}"#
    );
    let hash = |text: &str| redactor().hash(text);
    let body = &redacted.answered.body;
    assert!(body.contains(&format!(r#""client_id": "{}""#, hash("b0e1c2d3-x"))), "{body}");
    assert!(body.contains(&format!(r#""client_secret": "{}""#, hash("hush-hush"))), "{body}");
    assert!(body.contains(r#""client_secret_expires_at": 1.5, "client_id_issued_at": "1749600000","#), "{body}");
    assert!(body.contains("\n \"redirect_uris\": null") && body.contains("client_secret_post"), "{body}");
    assert!(!body.contains("123456"), "{body}");
}

#[test]
fn the_same_code_is_the_same_hash() {
    let hash = redactor().hash("c0de/1+x");
    assert!(hash.len() == 9 && hash.starts_with('#'));
    let encoded = hash.replace('#', "%23");
    let login = redactor().redact(&taped(
        Class::Authorize,
        ("GET", "/authorize?response_type=code&client_id=c9&state=abc1&redirect_uri=https%3A%2F%2Fu%3Apw1234%40a.example%2Fcb%3Fk%3Dv&code_challenge_method=S256", &[], ""),
        (302, &[("location", "https://a.example/cb?code=c0de%2F1%2Bx&state=abc1#x9y8z7")], ""),
    ));
    let start = &login.asked.start;
    assert!(start.contains("response_type=code&") && start.contains("code_challenge_method=S256"), "{start}");
    assert!(
        start.contains("redirect_uri=https%3A%2F%2Fa.example%2Fcb%3Fk%3D%23") || start.contains("%2523"),
        "{start}"
    );
    assert!(!start.contains("pw1234") && !start.contains("abc1"), "{start}");
    assert_eq!(login.answered.headers[0].1.split(['?', '&', '#']).nth(1), Some(format!("code={encoded}").as_str()));
    let token = redactor().redact(&taped(
        Class::Token,
        (
            "POST",
            "/token",
            FORM,
            "grant_type=authorization_code&code=c0de%2f1%2Bx&resource=http%3A%2F%2Flocalhost%3A3000%2Fmcp",
        ),
        (400, JSON, r#"{"error":"invalid_grant","error_description":"code c0de/1+x was used (c0de%2F1%2Bx)"}"#),
    ));
    assert_eq!(
        token.asked.body,
        format!("grant_type=authorization_code&code={encoded}&resource=http%3A%2F%2Flocalhost%3A3000%2Fmcp")
    );
    assert_eq!(
        token.answered.body,
        format!(r#"{{"error":"invalid_grant","error_description":"code {hash} was used ({hash})"}}"#)
    );
    let keys = |redacted: &Redacted, kind| redacted.signs.keys.iter().find(|key| key.kind == kind).copied();
    assert!(keys(&login, Kind::Code).is_some());
    assert_eq!(keys(&login, Kind::Code), keys(&token, Kind::Code));
    assert_ne!(hash, Redactor::new([8; 32]).hash("c0de/1+x"));
}

#[test]
fn credentials_show_their_scheme_and_challenges_their_parameters() {
    let redacted = redactor().redact(&taped(
        Class::Mcp,
        (
            "POST",
            "/mcp",
            &[("authorization", "Bearer abc"), ("cookie", "sid=1; theme=dark"), ("mcp-session-id", "s-1"), ("x-api-key", "k")],
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"mail","arguments":{"to":"a@b.example","n":7,"type":"text"}}}"#,
        ),
        (
            401,
            &[
                ("www-authenticate", r#"Bearer realm="mcp", error="invalid_token" resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource", nonce=abcd, Negotiate abcd=="#),
                ("set-cookie", "sid=abc; Path=/; HttpOnly"),
            ],
            "",
        ),
    ));
    let hash = |text: &str| redactor().hash(text);
    let find = |message: &Message, name: &str| message.headers.iter().find(|(have, _)| have == name).unwrap().1.clone();
    assert_eq!(find(&redacted.asked, "authorization"), format!("Bearer {}", hash("abc")));
    assert_eq!(find(&redacted.asked, "cookie"), format!("sid={}; theme={}", hash("1"), hash("dark")));
    assert_eq!(find(&redacted.asked, "mcp-session-id"), hash("s-1"));
    assert_eq!(
        find(&redacted.answered, "www-authenticate"),
        format!(
            r#"Bearer realm="mcp", error="invalid_token" resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource", nonce={}, Negotiate {}"#,
            hash("abcd"),
            hash("abcd")
        )
    );
    assert_eq!(find(&redacted.answered, "set-cookie"), format!("sid={}; Path=/; HttpOnly", hash("abc")));
    let body = &redacted.asked.body;
    assert!(body.starts_with(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"#), "{body}");
    assert!(
        !body.contains("mail") && !body.contains("b.example") && !body.contains("text") && !body.contains('7')
            || body.contains("\"n\":"),
        "{body}"
    );
}

#[test]
fn what_stands_in_a_text_by_chance_is_taken_out() {
    let redactor = redactor();
    for (name, value, shown) in [
        ("server", "nginx/1.29.0 (a@b.example)", format!("nginx/1.29.0 ({})", redactor.hash("a@b.example"))),
        (
            "via",
            "see=https://u:p@a.example/x?key=hush#hush2 ok",
            format!("see=https://a.example/x?key={}#{} ok", redactor.hash("hush"), redactor.hash("hush2"))
                .replace("=#", "=%23")
                .replace("##", "#%23"),
        ),
        ("x-powered-by", "a1b2c3d4", redactor.hash("a1b2c3d4")),
        ("authorization", "correct horse", format!("{} {}", redactor.hash("correct"), redactor.hash("horse"))),
        ("www-authenticate", "Bearer abc@def", format!("Bearer {}", redactor.hash("abc@def"))),
        (
            "www-authenticate",
            "Bearer a b, Basic",
            format!("Bearer {} {}, Basic", redactor.hash("a"), redactor.hash("b")),
        ),
        ("cf-ray", "8c1f2a3b4d5e6f70-FRA", "8c1f2a3b4d5e6f70-FRA".to_owned()),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0.0.0",
            "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0.0.0".to_owned(),
        ),
        ("host", "localhost:3000", "localhost:3000".to_owned()),
    ] {
        let redacted = redactor.redact(&taped(Class::Mcp, ("GET", "/mcp", &[], ""), (200, &[(name, value)], "")));
        assert_eq!(redacted.answered.headers[0].1, shown, "{name}");
    }
}

#[test]
fn bodies_of_other_types_are_told_by_their_length() {
    let page =
        taped(Class::Other, ("GET", "/x", &[], ""), (200, &[("content-type", "text/html; charset=utf-8")], "<p>hush"));
    let hash = redactor().hash("<p>hush");
    assert_eq!(redactor().redact(&page).answered.body, format!("(text/html, 7 bytes, {hash})"));
    let mut broken = taped(Class::Token, ("POST", "/token", JSON, ""), (200, JSON, r#"{"access_token":"hush"#));
    assert!(redactor().redact(&broken).answered.body.starts_with("(application/json, 21 bytes, #"));
    broken.answered.body = Text::default();
    assert_eq!(redactor().redact(&broken).answered.body, NOT_KEPT);
}

#[test]
fn events_keep_their_lines() {
    let stream = ": ping\r\n\r\nevent: endpoint\ndata: /messages?session_id=abc123\n\nid: 77\ndata: {\"jsonrpc\":\"2.0\",\ndata: \"id\":1,\"result\":{\"a\":\"b\"}}\n\ndata: hush";
    let redacted = redactor().redact(&taped(Class::LegacySse, ("GET", "/sse", EVENTS, ""), (200, EVENTS, stream)));
    let hash = |text: &str| redactor().hash(text);
    let session = hash("abc123").replace('#', "%23");
    assert_eq!(
        redacted.answered.body,
        format!(
            ": ping\r\n\r\nevent: endpoint\ndata: /messages?session_id={session}\n\nid: {}\ndata: {{\"jsonrpc\":\"2.0\",\ndata: \"id\":1,\"result\":{{\"a\":\"{}\"}}}}\n\ndata: {}",
            hash("77"),
            hash("b"),
            hash("hush")
        )
    );
}

#[test]
fn a_secret_of_one_exchange_is_found_in_all_others() {
    let long = format!("opensesame{}", "-and-more".repeat(100));
    let granted = format!(r#"{{"access_token":"{long}","refresh_token":"summerholiday","code":"invalid_token"}}"#);
    let first = taped(Class::Token, ("POST", "/token", &[], "grant_type=x"), (200, &[], &granted));
    let said = format!("nginx summerholiday {} c3VtbWVyaG9saWRheQ invalid_token", &long[..520]);
    let other = taped(Class::Mcp, ("GET", "/mcp", &[], ""), (401, &[("server", &said)], ""));
    let alone = written(&redactor().redact(&other));
    assert!(alone.contains("summerholiday"), "nothing to be found here: {alone}");
    let redactor = redactor().knowing_all([&first, &other]);
    let text = written(&redactor.redact(&other));
    let sentence = redactor.sentence(&format!("the login stopped: {said} summer%68oliday a+b"));
    for text in [&text, &sentence] {
        for gone in ["summerholiday", "opensesame", "c3VtbWVyaG9saWRheQ", "%68"] {
            assert!(!text.contains(gone), "{gone} in {text}");
        }
        assert!(text.contains("nginx") && text.contains("invalid_token"), "{text}");
    }
    assert!(sentence.starts_with("the login stopped: nginx #") && sentence.ends_with("a+b"), "{sentence}");
}

#[test]
fn what_is_not_seen_is_not_kept() {
    let body = "{\"error\":\"invalid_grant\",\"error_description\":\"ab\u{202e}cd\u{2028}ef\u{200b}gh\\u001b[31m\",\
                \"issuer\":\"\u{85}https://a.test/b\u{2028}\"}";
    let server = "nginx \u{202e}\u{9b}31mx";
    let taped = taped(Class::Token, ("POST", "/token", &[], ""), (400, &[("server", server)], body));
    let text = written(&redactor().redact(&taped));
    assert!(text.contains("nginx") && text.contains("ab cd"), "{text}");
    let odd: String = text.chars().filter(|c| *c != '\n' && super::unseen::is_unseen(*c)).collect();
    assert_eq!(odd, "", "{text}");
}
