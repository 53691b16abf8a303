//! Whether an answer says that a request was not carried out, so that it may be sent again. In doubt it was carried out.

use http::StatusCode;
use http::header::LOCATION;
use memchr::memmem;
use percent_encoding::percent_decode;
use serde_json::Value;

use crate::edit::origin::after_origin;
use crate::endpoint::Class;
use crate::evidence::message::are_twins;
use crate::exchange::content::Content;
use crate::exchange::{Ask, Reply, ReplyBody, Request, RequestBody};
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
        _ => request.only_reads() || is_refused_message(request, reply),
    }
}

/// Whether the same request is to go elsewhere, by the status alone. 303 sends on whoever asks for what a request has brought about
/// (RFC 9110 section 15.4.4).
fn sends_elsewhere(status: StatusCode) -> bool {
    [StatusCode::MOVED_PERMANENTLY, StatusCode::FOUND, StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT]
        .contains(&status)
}

/// Whether a router adds or takes a slash: some do so with 303, of a request that nobody has looked at.
fn moves_by_a_slash(request: &Request, reply: &Reply) -> bool {
    let to = reply.headers.get(LOCATION).and_then(|to| to.to_str().ok());
    let path = |to: &str| to.split(['?', '#']).next().map(|to| after_origin(to).unwrap_or(to).to_owned());
    reply.status == StatusCode::SEE_OTHER && to.and_then(path).is_some_and(|to| are_twins(request.path(), &to))
}

fn is_refused_message(request: &Request, reply: &Reply) -> bool {
    let content = Content::of(reply);
    if reply.message.as_ref().is_some_and(jsonrpc::Envelope::has_result) || has_result(&content) {
        return false;
    }
    if answers_one_of_list(request, &content) {
        return false;
    }
    match reply.status {
        status if sends_elsewhere(status) || moves_by_a_slash(request, reply) => true,
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

/// Whether an answer to a list has the id of one of its messages somewhere: then the upstream has looked into the list.
fn answers_one_of_list(request: &Request, content: &Content) -> bool {
    let Some(RequestBody::Whole(list)) = request.message.as_ref().filter(|it| it.is_batch).map(|_| &request.body)
    else {
        return false;
    };
    let asked: Vec<Value> = jsonrpc::messages(list)
        .iter()
        .filter_map(|message| serde_json::from_slice(message.id.as_ref()?).ok())
        .filter(|id: &Value| !id.is_null())
        .collect();
    let is_asked = |id: &Value| asked.iter().any(|asked| is_same_id(asked, id));
    let is_one = |name: &str, value: &Value| {
        name == "id" && (is_asked(value) || value.as_array().is_some_and(|list| list.iter().any(is_asked)))
    };
    content.any(|document| holds(document, &is_one))
}

/// Whether two ids mean the same: clients take `"1"` and `1e0` for `1`.
fn is_same_id(one: &Value, other: &Value) -> bool {
    let number = |id: &Value| id.as_str().map_or_else(|| id.as_f64(), |text| text.trim().parse().ok());
    match (number(one), number(other)) {
        (Some(one), Some(other)) => (one - other).abs() < f64::EPSILON,
        _ => one == other,
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
    holds(document, &|name, value| name.to_ascii_lowercase().ends_with("code") && is_one(value))
}

fn has_result(content: &Content) -> bool {
    match content {
        Content::Documents(all) => all.iter().any(|document| {
            let is_result = |name: &str, value: &Value| name.eq_ignore_ascii_case("result") && !value.is_null();
            match document.get("error").filter(|error| !error.is_null()) {
                // What an error has to say may have any names.
                Some(_) => {
                    document.as_object().is_some_and(|all| all.iter().any(|(name, value)| is_result(name, value)))
                }
                None => holds(document, &is_result),
            }
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
            let token = |word: &str| [format!("{word}="), format!("{word}\""), format!("{word}>")];
            let words: Vec<String> =
                ["access_token", "accesstoken", "refresh_token", "refreshtoken"].into_iter().flat_map(token).collect();
            let text = percent_decode(text).collect::<Vec<u8>>().to_ascii_lowercase();
            speaks_of(&text, &words.iter().map(String::as_bytes).collect::<Vec<_>>())
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
    let name = name.replace(['_', '-'], "").to_ascii_lowercase();
    let is_text = |text: &str| !text.trim().is_empty() && !text.trim().contains(char::is_whitespace);
    matches!(name.as_str(), "accesstoken" | "refreshtoken" | "idtoken") && value.as_str().is_some_and(is_text)
}

/// Whether a member, in whatever depth, is as asked for.
fn holds(value: &Value, is: &dyn Fn(&str, &Value) -> bool) -> bool {
    match value {
        Value::Array(list) => list.iter().any(|value| holds(value, is)),
        Value::Object(members) => members.iter().any(|(name, value)| is(name, value) || holds(value, is)),
        _ => false,
    }
}

/// Whether a text that is no JSON has one of these words, be it in UTF-16 or with escapes.
fn speaks_of(text: &[u8], words: &[&[u8]]) -> bool {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied().filter(|byte| *byte != 0).peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            plain.push(byte);
        } else if bytes.next_if_eq(&b'u').is_some() {
            let digits: Vec<u8> = (0..4).filter_map(|_| bytes.next_if(u8::is_ascii_hexdigit)).collect();
            let code = std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
            plain.extend(code);
        }
    }
    words.iter().any(|word| memmem::find(&plain, word).is_some())
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
                br#"{"Error":{"Code":-32603}}"#,
                br#"{"error":null,"data":{"Result":{}}}"#,
                br#"{"error":{"code":-32600,"data":"\ud800"}}"#,
                b"data: {\"id\":1,\"r\\u0065sult\":{}}\n\n",
                b"[\0{\0\"\0r\0e\0s\0u\0l\0t\0\"\0:\0{\0}\0}\0]\0",
            ] {
                assert!(!is_turned_away(&call, status, body), "{status} {}", String::from_utf8_lossy(body));
            }
        }
    }

    #[test]
    fn a_list_that_was_looked_into_was_not_turned_away() {
        let calls = |ids: [&str; 2]| {
            let call = |id: &str| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\"}}");
            request(&format!("POST /mcp\n\n[{},{}]", call(ids[0]), call(ids[1])))
        };
        for (body, turned_away) in [
            (&br#"{"id":null,"error":{"code":-32600}}"#[..], true),
            (br#"{"id":3,"error":{"code":-32600}}"#, true),
            (br#"{"error":{"code":-32700}}"#, true),
            (b"no lists here", true),
            (br#"{"id":1,"error":{"code":-32700}}"#, false),
            (br#"{"id":"1","error":{"code":-32000}}"#, false),
            (br#"{"id":1e0,"error":{"code":-32000}}"#, false),
            (br#"{"id":[1],"error":{"code":-32000}}"#, false),
            (br#"[[{"id":1,"error":{"code":-32000}}]]"#, false),
            (br#"{"responses":[{"id":"a","error":{"code":-32000}}]}"#, false),
            (b"data: {\"id\":\"a\",\"error\":{\"code\":-32000}}\n\n", false),
        ] {
            let list = calls(["1", "\"\\u0061\""]);
            assert_eq!(is_turned_away(&list, "400", body), turned_away, "{}", String::from_utf8_lossy(body));
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
            ("404\nContent-Type: text/html", b"<script>self.a=\"\\u003cb\\u003e\"</script>", true),
            ("404", b"<script>self.a={\"r\\u0065sult\":1}</script>", false),
            ("303\nLocation: /mcp/?a=b", b"", true),
            ("303\nLocation: https://localhost:3000/mcp/", b"", true),
            ("303\nLocation: /result", b"", false),
            ("304\nLocation: /mcp/", b"", false),
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
            ("415", b"access%5Ftoken=t", false),
            ("415", b"<access_token>t</access_token>", false),
            ("415\nContent-Type: application/json", br#""{\"access_token\":\"t\"}""#, false),
            ("400", br#"{"error":"invalid_scope","refresh-token":"r "}"#, false),
            ("404\nContent-Type: text/html", b"<script>self.a=\"\\u003cb\\u003e\"</script>", true),
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
