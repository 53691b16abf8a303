//! Every secret, in every coding, at every place.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::*;
use crate::exchange::Finding;
use crate::repair::Mode;

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
fn places(text: &str) -> Vec<RecordedExchange> {
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
                parts: Vec::new(),
            });
            let out = written(&redactor.redact(&exchange));
            for hidden in &forms {
                assert!(!out.contains(hidden.as_str()), "{secret} as {form} is seen as {hidden} in\n{out}");
            }
        }
    }
}
