//! What messages and their answers say about lessons: where messages moved to, and whether the probe is known.

use http::{Method, StatusCode};

use super::{Heard, Lesson};
use crate::exchange::{Reply, Request};
use crate::jsonrpc;
use crate::repairs::version::PROBE;

/// Whether two paths differ by a slash at their end and nothing else.
#[must_use]
pub fn are_twins(one: &str, other: &str) -> bool {
    one.strip_suffix('/') == Some(other) || other.strip_suffix('/') == Some(one)
}

/// A message was redirected, and asked again at `target`: where messages moved to, if the answer there is a success. The
/// caller chose neither path, and whoever is not let in gets no success.
#[must_use]
pub fn moved(mcp_path: &str, request: &Request, first: StatusCode, target: &str, second: &Reply) -> Option<Heard> {
    if !first.is_redirection() || second.status.is_redirection() {
        return None;
    }
    let path = request.target.as_str();
    let is_slash = are_twins(path, target) && (path == mcp_path || target == mcp_path);
    let reason = match () {
        () if !is_slash => "the redirect leads to another path than the one with or without a slash",
        () if !matches!(first.as_u16(), 301 | 302 | 307 | 308) => "the redirect is of a kind that is no move",
        () if request.method != Method::POST || request.message.is_none() => "what was redirected is no message",
        () if !has_succeeded(second) => "the message did not succeed there",
        () => {
            let evidence = format!("{} from {path} to {target}, then {}", first.as_u16(), second.status.as_u16());
            return Some(Heard::Evidence(Lesson::Moved, evidence.into(), Some(target.to_owned())));
        }
    };
    Some(Heard::Nothing(Lesson::Moved, reason))
}

/// A message went to where messages moved to, without a redirect before it: whether that place is gone.
#[must_use]
pub fn still_moved(request: &Request, reply: &Reply) -> Option<Heard> {
    // A session that has ended is answered with 404 (MCP 2025-11-25, Session Management).
    let is_place_gone = reply.status == StatusCode::NOT_FOUND && request.session().is_none();
    let is_gone = is_place_gone || reply.status.is_redirection() || matches!(reply.status.as_u16(), 405 | 410);
    // A stream that is not offered is answered with 405 (MCP 2025-11-25, Listening for Messages).
    (request.method == Method::POST && is_gone)
        .then_some(Heard::Wrong(Lesson::Moved, "messages are no longer taken where they moved to"))
}

/// Whether a message was taken and answered without an error, as far as that can be seen.
fn has_succeeded(reply: &Reply) -> bool {
    if !reply.status.is_success() {
        return false;
    }
    match &reply.message {
        Some(message) => message.result.is_some() && message.error.is_none(),
        None => reply.status == StatusCode::ACCEPTED || reply.is_of("text/event-stream"),
    }
}

/// What the answer to a probe says: it is known, or there is reason to ask.
#[must_use]
pub fn probe(request: &Request, reply: &Reply) -> Option<Heard> {
    if !request.calls(PROBE) {
        return None;
    }
    let error = reply.json().and_then(|message| message.child("error")?.get("code")?.as_i64());
    match error {
        Some(code) if jsonrpc::MODERN.contains(&code) => Some(KNOWN),
        Some(jsonrpc::METHOD_NOT_FOUND) => Some(Heard::Question(Lesson::Legacy)),
        Some(_) => Some(Heard::Nothing(Lesson::Legacy, "an error that says nothing of the method")),
        None if reply.status == StatusCode::OK && reply.json().is_some_and(|message| message.has("result")) => {
            Some(KNOWN)
        }
        None => None,
    }
}

const KNOWN: Heard = Heard::Wrong(Lesson::Legacy, "a probe was answered by a server that knows it");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use crate::repair::SiteKind;

    fn request(text: &str) -> Request {
        example::request(text, &example::facts(SiteKind::Open), &example::knowledge(SiteKind::Open)).unwrap()
    }

    #[test]
    fn only_a_slash_and_a_success_are_a_move() {
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let done = "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";
        let failed =
            "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601}}";
        for (line, first, target, second, learned) in [
            ("POST /mcp", 307, "/mcp/", done, true),
            ("POST /mcp/", 301, "/mcp", done, true),
            ("POST /mcp", 308, "/mcp/", "200\nContent-Type: text/event-stream", true),
            ("POST /mcp", 302, "/mcp/", "202", true),
            ("POST /mcp", 307, "/mcp/", failed, false),
            ("POST /mcp", 307, "/mcp/", "401", false),
            ("POST /mcp", 307, "/mcp/", "200\nContent-Type: text/html\n\n<h1>hello</h1>", false),
            ("POST /mcp", 303, "/mcp/", done, false),
            ("POST /mcp", 307, "/", done, false),
            ("POST /mcp", 307, "/other/", done, false),
            ("POST /mcp", 307, "/mcp//", done, false),
            ("POST /mcp", 307, "/mcp/?tenant=a", done, false),
            ("POST /mcp?tenant=a", 307, "/mcp/", done, false),
            ("POST /mcp?tenant=a", 307, "/mcp/?tenant=a", done, false),
        ] {
            let status = StatusCode::from_u16(first).unwrap();
            let request = request(&format!("{line}\n\n{ping}"));
            let heard = moved("/mcp", &request, status, target, &example::reply(second).unwrap());
            assert_eq!(matches!(heard, Some(Heard::Evidence(..))), learned, "{line} {first} {target} {second}");
        }
        let get = request("GET /mcp");
        let heard = moved("/mcp", &get, StatusCode::FOUND, "/mcp/", &example::reply(done).unwrap());
        assert!(matches!(heard, Some(Heard::Nothing(..))));
    }

    #[test]
    fn an_ended_session_is_no_lost_place() {
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        for (head, answer, gone) in [
            ("POST /mcp", "404", true),
            ("POST /mcp\nMcp-Session-Id: s1", "404", false),
            ("POST /mcp\nMcp-Session-Id: s1", "410", true),
            ("POST /mcp\nMcp-Session-Id: s1", "307\nLocation: /mcp", true),
            ("POST /mcp", "401", false),
            ("GET /mcp", "405", false),
        ] {
            let heard = still_moved(&request(&format!("{head}\n\n{ping}")), &example::reply(answer).unwrap());
            assert_eq!(heard.is_some(), gone, "{head} {answer}");
        }
    }

    #[test]
    fn a_probe_teaches_nothing_by_itself() {
        let line = "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\"}";
        let json = "\nContent-Type: application/json\n\n";
        for (reply, heard) in [
            (format!("404{json}{{\"error\":{{\"code\":-32601}}}}"), Some(Heard::Question(Lesson::Legacy))),
            (format!("400{json}{{\"error\":{{\"code\":-32022}}}}"), Some(KNOWN)),
            (format!("200{json}{{\"result\":{{}}}}"), Some(KNOWN)),
            ("500\n\nno".to_owned(), None),
            ("200\nContent-Type: text/html\n\n<p>".to_owned(), None),
        ] {
            assert_eq!(probe(&request(line), &example::reply(&reply).unwrap()), heard, "{reply}");
        }
        for code in [-32600, -32000, -32700, 1] {
            let reply = format!("400{json}{{\"error\":{{\"code\":{code}}}}}");
            let heard = probe(&request(line), &example::reply(&reply).unwrap());
            assert!(matches!(heard, Some(Heard::Nothing(..))), "{code}");
        }
        let ping = "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}";
        let reply = example::reply(&format!("404{json}{{\"error\":{{\"code\":-32601}}}}")).unwrap();
        assert_eq!(probe(&request(ping), &reply), None);
    }
}
