//! What messages and their answers say about lessons: where messages moved to, and whether the probe is known.

use http::{Method, StatusCode};

use crate::exchange::{Reply, Request};
use crate::jsonrpc::{self, PROBE};
use crate::lesson::{Heard, Lesson};

/// Whether two paths differ by a slash at their end and nothing else.
#[must_use]
pub fn are_twins(one: &str, other: &str) -> bool {
    one.strip_suffix('/') == Some(other) || other.strip_suffix('/') == Some(one)
}

/// The other twin of a path. The root has none.
#[must_use]
pub fn twin_of(path: &str) -> Option<String> {
    match path.strip_suffix('/') {
        Some("") => None,
        Some(without) => Some(without.to_owned()),
        None => Some(format!("{path}/")),
    }
}

/// Whether a redirect of this kind from one path to another says that messages moved by a slash.
#[must_use]
pub fn is_move(kind: StatusCode, from: &str, to: &str) -> bool {
    are_twins(from, to) && matches!(kind.as_u16(), 301 | 302 | 307 | 308)
}

/// A message was redirected, and asked again at `target`. Whether a caller is redirected may depend on who calls, so this
/// is no more than a reason to ask.
#[must_use]
pub fn moved(mcp_path: &str, request: &Request, first: StatusCode, target: &str) -> Option<Heard> {
    let path = request.target.as_str();
    let is_of_endpoint = path == mcp_path || target == mcp_path;
    let is_message = request.method == Method::POST && request.message.is_some();
    (is_of_endpoint && is_message && is_move(first, path, target)).then_some(Heard::Question(Lesson::Moved))
}

/// A message went to where messages moved to, without a redirect before it, and did not succeed: a reason to ask whether that is
/// still the place. Whoever sends bad messages must not end the lesson.
#[must_use]
pub fn still_moved(request: &Request, reply: &Reply) -> Option<Heard> {
    // A session that has ended is answered with 404 (MCP 2025-11-25, Session Management), and a stream that is not offered with
    // 405 (Listening for Messages).
    let is_ended = reply.status == StatusCode::NOT_FOUND && request.session().is_some();
    let has_failed = request.method == Method::POST && !is_ended && !reply.status.is_success();
    has_failed.then_some(Heard::Question(Lesson::Moved))
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
    fn a_redirect_by_a_slash_is_a_reason_to_ask() {
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        for (line, first, target, asks) in [
            ("POST /mcp", 307, "/mcp/", true),
            ("POST /mcp/", 301, "/mcp", true),
            ("POST /mcp", 302, "/mcp/", true),
            ("POST /mcp", 303, "/mcp/", false),
            ("POST /mcp", 200, "/mcp/", false),
            ("POST /mcp", 307, "/", false),
            ("POST /mcp", 307, "/other/", false),
            ("POST /other", 307, "/other/", false),
            ("POST /mcp", 307, "/mcp//", false),
            ("POST /mcp", 307, "/mcp/?tenant=a", false),
            ("POST /mcp?tenant=a", 307, "/mcp/", false),
            ("POST /mcp?tenant=a", 307, "/mcp/?tenant=a", false),
        ] {
            let status = StatusCode::from_u16(first).unwrap();
            let heard = moved("/mcp", &request(&format!("{line}\n\n{ping}")), status, target);
            assert_eq!(heard, asks.then_some(Heard::Question(Lesson::Moved)), "{line} {first} {target}");
        }
        assert_eq!(moved("/mcp", &request("GET /mcp"), StatusCode::FOUND, "/mcp/"), None);
    }

    #[test]
    fn every_path_but_the_root_has_a_twin() {
        for (path, twin) in [("/mcp", Some("/mcp/")), ("/mcp/", Some("/mcp")), ("/", None)] {
            assert_eq!(twin_of(path).as_deref(), twin);
            assert!(twin.is_none_or(|twin| are_twins(path, twin)));
        }
    }

    #[test]
    fn a_message_that_fails_is_a_reason_to_ask_and_an_ended_session_is_none() {
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        for (head, answer, asks) in [
            ("POST /mcp", "404", true),
            ("POST /mcp\nMcp-Session-Id: s1", "404", false),
            ("POST /mcp\nMcp-Session-Id: s1", "410", true),
            ("POST /mcp\nMcp-Session-Id: s1", "307\nLocation: /mcp", true),
            ("POST /mcp", "500", true),
            ("POST /mcp", "202", false),
            ("GET /mcp", "405", false),
        ] {
            let heard = still_moved(&request(&format!("{head}\n\n{ping}")), &example::reply(answer).unwrap());
            assert_eq!(heard, asks.then_some(Heard::Question(Lesson::Moved)), "{head} {answer}");
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
