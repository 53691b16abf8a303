use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use super::*;
use crate::example;
use crate::exchange::Finding;
use crate::repair::{Mode, SiteKind};
use crate::telemetry::tape::{Text, Turn};

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
fn taped(class: Class, asked: (&str, &str, &[(&str, &str)], &str), came: (u16, &[(&str, &str)], &str)) -> Taped {
    let (method, target, lines, body) = asked;
    let asked = Asked {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        target: target.parse().unwrap(),
        headers: headers(lines),
        body: text(body),
    };
    let came = Came { status: StatusCode::from_u16(came.0).unwrap(), headers: headers(came.1), body: text(came.2) };
    Taped {
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
            r#"Bearer realm="mcp", error="invalid_token" resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource", nonce={}, Negotiate {}=="#,
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

/// Fifty secrets of all kinds: each of them is not to be found by looking at one part of it.
fn secrets() -> Vec<String> {
    let mut state = 0x1234_5678_9ABC_DEF1_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..50)
        .map(|index| {
            let bytes: Vec<u8> = (0..4).flat_map(|_| next().to_le_bytes()).collect();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            match index % 10 {
                0 => hex,
                1 => URL_SAFE_NO_PAD.encode(&bytes),
                2 => format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30]),
                3 => format!("s3cret-code/{}+x", &hex[..4]),
                4 => format!("eyJhbGciOiJub25lIn0.{}.{}", URL_SAFE_NO_PAD.encode(&bytes), &hex[..9]),
                5 => format!("p4ss w\u{f6}rd {}", &hex[..6]),
                6 => format!("q\"{}\\{}", &hex[..4], &hex[4..9]),
                7 => format!("{}", next() % 9_000_000_000_000_000 + 1_000_000_000_000_000),
                8 => format!("z9{}", &hex[..6]),
                _ => format!("ghp_{}", STANDARD.encode(&bytes)),
            }
        })
        .collect()
}

/// The ways in which one is written.
fn encodings(secret: &str) -> Vec<String> {
    let percent = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string();
    let all: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let escaped: String = secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    vec![
        secret.to_owned(),
        percent.clone(),
        all,
        percent.replace('%', "%25"),
        STANDARD.encode(secret),
        URL_SAFE_NO_PAD.encode(format!("u:{secret}")),
        escaped,
    ]
}

/// Exchanges with a text wherever one can be.
fn places(text: &str) -> Vec<Taped> {
    let url = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let raw = if text.parse::<http::uri::PathAndQuery>().is_ok() && !text.contains(['?', '#', '&', '/']) {
        text
    } else {
        &url
    };
    let json = serde_json::Value::from(text).to_string();
    let nested = serde_json::Value::from(format!("{{\"a\":{json}}}")).to_string();
    let lines = text.replace(['\n', '\r'], " ");
    let mut all = Vec::new();
    for (name, value) in [
        ("authorization", format!("Bearer {lines}")),
        ("authorization", lines.clone()),
        ("authorization", format!("Basic {}", STANDARD.encode(format!("user:{text}")))),
        ("cookie", format!("a={lines}; {lines}")),
        ("x-api-key", lines.clone()),
        ("x-anything", lines.clone()),
        ("mcp-session-id", lines.clone()),
        ("referer", format!("https://a.example/{raw}?q={url}#{url}")),
        ("etag", format!("\"{lines}\"")),
        ("last-event-id", lines.clone()),
        (raw, "1".into()),
    ] {
        all.push(taped(Class::Mcp, ("GET", "/mcp", &[(name, &value)], ""), (200, &[(name, &value)], "")));
    }
    for target in [
        format!("/authorize?code={url}"),
        format!("/authorize?whatever={url}&{url}=1&{url}"),
        format!(
            "/authorize?redirect_uri=https%3A%2F%2Fu%3A{url}%40a.example%2Fcb%3Fcode%3D{}",
            url.replace('%', "%25")
        ),
        format!("/authorize?scope=https%3A%2F%2Fa.example%2F{url}"),
        format!("/files/{raw}/x"),
        format!("/files/{url}"),
    ] {
        let location = format!("https://a.example{target}&error=x#access_token={url}&{url}");
        let answer: &[(&str, &str)] = &[("location", &location), ("refresh", &format!("0; url={location}"))];
        all.push(taped(Class::Authorize, ("GET", &target, &[], ""), (302, answer, "")));
    }
    for body in [
        format!("grant_type=refresh_token&refresh_token={url}"),
        format!("{url}={url}&client_id={url}"),
        format!("grant_type={url}9x8y7z6&token_type_hint=a&client_assertion={url}"),
    ] {
        all.push(taped(Class::Token, ("POST", "/token", FORM, &body), (200, &[("content-type", "text/html")], text)));
    }
    for body in [
        format!("{{\"access_token\":{json},\"scope\":\"a\",\"anything\":[{json},{{\"b\":{json}}}]}}"),
        format!("{{\"client_secret\":{json},\"registration_client_uri\":\"https://a.example/r/{url}?x={url}\"}}"),
        format!("{{\"data\":{nested},{json}:1}}"),
        format!("{{\"redirect_uris\":[\"https://a.example/{url}\",\"x:{url}\"],\"client_id\":{json}}}"),
    ] {
        all.push(taped(Class::Token, ("POST", "/token", JSON, &body), (200, JSON, &body)));
        all.push(taped(Class::Register, ("POST", "/register", JSON, &body), (201, JSON, &body)));
    }
    for body in [
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{json},\"method\":\"tools/call\",\"params\":{{\"arguments\":{{\"a\":{json},{json}:2}}}}}}"
        ),
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":{nested}}}]}}}}"
        ),
        format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{{\"code\":-32000,\"message\":{json},\"data\":{json}}}}}"),
        format!("{{\"jsonrpc\":\"2.0\",\"method\":{json},\"params\":{{\"uri\":\"https://a.example/{url}\"}}}}"),
    ] {
        all.push(taped(Class::Mcp, ("POST", "/mcp", JSON, &body), (200, JSON, &body)));
        let stream = format!(
            "id: {lines}\nevent: message\ndata: {body}\n\n: {lines}\ndata: {lines}\n\n{lines}: 1\nevent: endpoint\ndata: /m?sessionId={url}\n\n"
        );
        all.push(taped(Class::Mcp, ("POST", "/mcp", JSON, &body), (200, EVENTS, &stream)));
    }
    let challenge = format!("Bearer scope=\"a\", nonce=\"{}\"", lines.replace(['"', '\\'], "_"));
    all.push(taped(
        Class::Mcp,
        ("GET", "/mcp", &[], ""),
        (401, &[("www-authenticate", &challenge), ("set-cookie", &format!("a={lines}; Path=/{raw}"))], text),
    ));
    all
}

#[test]
fn no_secret_is_written_in_any_form_from_any_place() {
    let redactor = redactor();
    for secret in secrets() {
        let forms = encodings(&secret);
        for form in &forms {
            for taped in places(form) {
                let out = written(&redactor.redact(&taped));
                for hidden in &forms {
                    assert!(
                        !out.contains(hidden.as_str()),
                        "{secret} as {form} is seen as {hidden} in\n{out}\nof {taped:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_is_known_to_be_secret_is_in_no_text_that_is_kept() {
    let redactor = redactor();
    for secret in secrets() {
        let forms = encodings(&secret);
        let code = percent_encoding::utf8_percent_encode(&secret, percent_encoding::NON_ALPHANUMERIC).to_string();
        for form in &forms {
            let json = serde_json::Value::from(form.as_str());
            let clean = form.replace(['"', '\\'], "_");
            let mut exchange = taped(
                Class::Token,
                (
                    "POST",
                    "/token",
                    &[FORM[0], ("user-agent", &format!("agent/1 ({clean})")), ("server", form)],
                    &format!("code={code}"),
                ),
                (
                    400,
                    &[
                        JSON[0],
                        ("www-authenticate", &format!("Bearer error_description=\"no {clean} here\", realm={clean}")),
                    ],
                    &format!(
                        "{{\"error\":{json},\"error_description\":{json},\"scope\":{json},\"client_name\":\"x {}\",\"message\":{json}}}",
                        clean
                    ),
                ),
            );
            exchange.fired.push(Fired {
                id: "test.x",
                slot: 0,
                mode: Mode::Fix,
                finding: Finding { what: format!("found {form} there").into(), ..Finding::default() },
            });
            let out = written(&redactor.redact(&exchange));
            for hidden in &forms {
                assert!(!out.contains(hidden.as_str()), "{secret} as {form} is seen as {hidden} in\n{out}");
            }
        }
    }
}
