//! Whether an answer says that a request was not carried out, so that it may be sent again. In doubt it was carried out.

use http::StatusCode;
use memchr::memmem;
use serde_json::Value;

use crate::endpoint::Class;
use crate::exchange::content::Content;
use crate::exchange::{Ask, Reply, ReplyBody, Request};
use crate::jsonrpc;

/// Whether sending the request once more, after this answer, may carry it out twice. Only messages and token requests have an
/// effect that counts: a token request spends a code or a refresh token.
#[must_use]
pub fn may_act_twice(request: &Request, reply: &Reply, ask: &Ask) -> bool {
    let acts = request.class.has_messages() || request.class == Class::Token;
    acts && !ask.listens && !was_turned_away(request, reply)
}

/// Whether an answer says that a message or a token request was not carried out. What only reads may be repeated.
#[must_use]
pub fn was_turned_away(request: &Request, reply: &Reply) -> bool {
    match request.class {
        Class::Token => is_refused_token(reply),
        _ => request.only_reads() || is_refused_message(reply),
    }
}

/// Whether the same request is to go elsewhere. 303 sends on whoever asks for what a request has brought about (RFC 9110 section
/// 15.4.4).
fn sends_elsewhere(status: StatusCode) -> bool {
    [StatusCode::MOVED_PERMANENTLY, StatusCode::FOUND, StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT]
        .contains(&status)
}

fn is_refused_message(reply: &Reply) -> bool {
    let content = Content::of(reply);
    if reply.message.as_ref().is_some_and(jsonrpc::Envelope::has_result) || has_result(&content) {
        return false;
    }
    match reply.status {
        status if sends_elsewhere(status) => true,
        // These say it by themselves.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            true
        }
        // Nobody knows how far it got.
        StatusCode::REQUEST_TIMEOUT => false,
        // Any other may have a result behind it that was not seen.
        status if status.is_client_error() => match content {
            Content::Nothing | Content::Words(_) => true,
            Content::Documents(all) => !all.iter().any(is_internal_error),
            Content::Unclear(_) | Content::Unread => false,
        },
        _ => matches!(reply.body, ReplyBody::Json(_)) && content.any(is_error_of_form),
    }
}

/// Whether it refuses the form of the message: what JSON-RPC 2.0 section 5.1 and MCP have codes for.
fn is_error_of_form(document: &Value) -> bool {
    let code = document.get("error").and_then(|error| error.get("code")?.as_i64());
    code.is_some_and(|code| {
        code == jsonrpc::PARSE_ERROR
            || jsonrpc::MODERN.contains(&code)
            || (jsonrpc::INVALID_PARAMS..=jsonrpc::INVALID_REQUEST).contains(&code)
    })
}

/// Whether an internal error is in it, in whatever place and however its code is written.
fn is_internal_error(document: &Value) -> bool {
    let is_one = |code: &Value| {
        let number = code.as_str().map_or_else(|| code.as_f64(), |text| text.trim().parse().ok());
        number.is_some_and(|number| (number - jsonrpc::INTERNAL_ERROR as f64).abs() < 1.0)
    };
    holds(document, &|name, value| name == "code" && is_one(value))
}

fn has_result(content: &Content) -> bool {
    match content {
        Content::Documents(all) => all.iter().any(|document| match document.get("error") {
            // What an error has to say may have any names.
            Some(_) => document.get("result").is_some_and(|result| !result.is_null()),
            None => holds(document, &|name, value| name == "result" && !value.is_null()),
        }),
        Content::Words(text) | Content::Unclear(text) => speaks_of(text, &[b"\"result\""]),
        Content::Nothing | Content::Unread => false,
    }
}

/// Whether a token request was refused, and no token was given out with the refusal.
fn is_refused_token(reply: &Reply) -> bool {
    let content = Content::of(reply);
    let gives_token = match &content {
        Content::Documents(all) => all.iter().any(|document| holds(document, &is_token)),
        Content::Words(text) | Content::Unclear(text) => {
            speaks_of(text, &[b"\"access_token\"", b"access_token=", b"\"refresh_token\"", b"refresh_token="])
        }
        Content::Nothing | Content::Unread => false,
    };
    match reply.status {
        _ if gives_token => false,
        status if sends_elsewhere(status) => true,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => true,
        StatusCode::REQUEST_TIMEOUT => false,
        status => status.is_client_error() && !matches!(content, Content::Unclear(_) | Content::Unread),
    }
}

/// Whether a member is a token, and not a sentence about one.
fn is_token(name: &str, value: &Value) -> bool {
    let name = name.replace('_', "").to_ascii_lowercase();
    let is_text = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    matches!(name.as_str(), "accesstoken" | "refreshtoken") && value.as_str().is_some_and(is_text)
}

/// Whether a member, in whatever depth, is as asked for.
fn holds(value: &Value, is: &dyn Fn(&str, &Value) -> bool) -> bool {
    match value {
        Value::Array(list) => list.iter().any(|value| holds(value, is)),
        Value::Object(members) => members.iter().any(|(name, value)| is(name, value) || holds(value, is)),
        _ => false,
    }
}

/// Whether a text that is no JSON has one of these words, or may have one that it hides by escapes or in UTF-16.
fn speaks_of(text: &[u8], words: &[&[u8]]) -> bool {
    let plain: Vec<u8> = text.iter().copied().filter(|byte| *byte != 0).collect();
    words.iter().any(|word| memmem::find(&plain, word).is_some()) || memmem::find(&plain, b"\\u00").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use crate::machine::reading;
    use crate::repair::SiteKind;

    fn request(text: &str) -> Request {
        let (facts, known) = (example::facts(SiteKind::Open), example::knowledge(SiteKind::Open));
        example::request(text, &facts, &known).unwrap()
    }

    fn is_turned_away(request: &Request, head: &str, body: &[u8]) -> bool {
        let mut reply = example::reply(head).unwrap();
        reading::show_whole(&mut reply, &bytes::Bytes::copy_from_slice(body));
        was_turned_away(request, &reply)
    }

    #[test]
    fn an_internal_error_is_none_in_whatever_form() {
        let call = request("POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}");
        for status in ["400", "415", "422", "429"] {
            assert!(is_turned_away(&call, status, br#"{"error":{"code":-32600}}"#), "{status}");
            assert!(is_turned_away(&call, status, b"data: {\"error\":{\"code\":-32000}}\n\n"), "{status}");
            assert!(is_turned_away(&call, status, b"Unsupported protocol version"), "{status}");
            for body in [
                &br#"{"error":{"code":-32603}}"#[..],
                b"\xef\xbb\xbf{\"error\":{\"code\":-32603}}",
                br#"[{"id":null,"error":{"code":-32603}}]"#,
                b"event: message\ndata: {\"error\":{\"code\":-32603}}\n\n",
                br#"{"error":{"code":"-32603"}}"#,
                br#"{"error":{"code":-32603.0}}"#,
                br#"{"error":{"code":-3.2603e4}}"#,
                br#"{"error":{"code":-32603,"code":-32600}}"#,
                br#"{"errors":[{"code":-32603}]}"#,
                br#"{"error":{"code":-32600}} x"#,
                br#"{"error":{"code":-32600,"data":"\ud800"}}"#,
                b"data: {\"id\":1,\"r\\u0065sult\":{}}\n\n",
                b"[\0{\0\"\0r\0e\0s\0u\0l\0t\0\"\0:\0{\0}\0}\0]\0",
            ] {
                assert!(!is_turned_away(&call, status, body), "{status} {}", String::from_utf8_lossy(body));
            }
        }
    }

    #[test]
    fn the_status_may_say_it_unless_there_is_a_result() {
        let call = request("POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}");
        for (head, body, turned_away) in [
            ("401", &br#"{"error":"x","error":"y"}"#[..], true),
            ("404", b"", true),
            ("405", br#"{"result":{}}"#, false),
            ("403", b"data: {\"result\":{}}\n\n", false),
            ("307\nLocation: /mcp/", b"", true),
            ("302\nLocation: /mcp/", b"{\"result\":{}}", false),
            ("303\nLocation: /mcp/", b"", false),
            ("304", b"", false),
            ("408", b"", false),
            ("500", br#"{"error":{"code":-32600}}"#, true),
            ("500", br#"{"error":{"code":-32600,"code":-32603}}"#, false),
            ("500", br#"[{"error":{"code":-32600}}]"#, false),
            ("500", b"", false),
            ("200", br#"{"error":{"code":-32000}}"#, false),
        ] {
            assert_eq!(is_turned_away(&call, head, body), turned_away, "{head} {}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_token_request_was_refused_if_it_was_read_and_gave_no_token() {
        let spend = request("POST /token\n\ngrant_type=authorization_code&code=c");
        for (head, body, turned_away) in [
            ("401", &br#"{"error":"invalid_client"}"#[..], true),
            ("400", br#"{"error":"invalid_request","refresh_token":["is required"]}"#, true),
            ("400", br#"{"errors":{"refresh_token":"is not known"}}"#, true),
            ("415", b"Unsupported Media Type", true),
            ("404", b"", true),
            ("307\nLocation: /token/", b"", true),
            ("400", br#"{"error":"invalid_scope","refresh_token":"r"}"#, false),
            ("401", b"\xef\xbb\xbf{\"error\":\"invalid_client\",\"data\":{\"accessToken\":\"t\"}}", false),
            ("404", br#"{"access_token":"t"}"#, false),
            ("415", b"access_token=t&token_type=bearer", false),
            ("400", br#"{"error":"server_error","error":"invalid_target"}"#, false),
            ("303\nLocation: /token/", b"", false),
            ("408", br#"{"error":"invalid_scope"}"#, false),
            ("500", br#"{"error":{"code":-32600}}"#, false),
            ("200", br#"{"error":"invalid_client"}"#, false),
        ] {
            assert_eq!(is_turned_away(&spend, head, body), turned_away, "{head} {}", String::from_utf8_lossy(body));
        }
        let unread = |head: &str| was_turned_away(&spend, &example::reply(head).unwrap());
        assert!(!unread("415\nContent-Length: 9") && unread("405\nContent-Length: 9"));
    }
}
