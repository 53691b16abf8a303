//! How messages are sent, taken and refused (catalogue 4F).

use http::header::{ACCEPT, CONTENT_TYPE, SET_COOKIE};
use http::{HeaderName, Method, StatusCode};
use serde_json::json;

use super::{Defect, html, redirect};
use crate::demo::broken::change::{Asked, Change, Seam};
use crate::demo::broken::reply::{self, Reply};
use crate::demo::mended::messages as mended;
use crate::demo::visit::messages as visit;
use crate::endpoint::{SESSION, VERSION};

/// A defect of the endpoint once it is opened.
macro_rules! defects {
    ($($name:literal, $row:literal, $summary:literal, $visit:ident, $check:ident, [$($change:expr),+ $(,)?];)*) => {
        pub(super) static DEFECTS: &[Defect] = &[$(Defect {
            name: $name,
            row: $row,
            summary: $summary,
            ask: visit::$visit,
            check: mended::$check,
            change: &[$($change),+],
        }),*];
    };
}

defects! {
    "endpoint-slash", "F-01", "/mcp redirects to /mcp/ with 307", LIST, listed,
        [Change::Also("/mcp/", "/mcp"), Change::Before(Seam::Opened, |asked| slash(asked, StatusCode::TEMPORARY_REDIRECT))];
    "endpoint-slash-301", "F-01", "/mcp redirects to /mcp/ with 301, which turns POST into GET", LIST, listed,
        [Change::Also("/mcp/", "/mcp"), Change::Before(Seam::Opened, |asked| slash(asked, StatusCode::MOVED_PERMANENTLY))];
    "accept-both", "F-02", "406 unless Accept names both forms of an answer", LIST_IN_JSON, listed_in_json,
        [Change::Before(Seam::Opened, |asked| refuse_unless(asked, ACCEPT, "text/event-stream", StatusCode::NOT_ACCEPTABLE))];
    "events-unasked", "F-02", "events, although only JSON is accepted", LIST_IN_JSON, listed_in_json,
        [Change::After(Seam::Opened, |asked, reply| as_events(asked, reply, "event: message\ndata: ", "\n\n"))];
    "charset-refused", "F-03", "415 for application/json with a charset", LIST_WITH_CHARSET, listed,
        [Change::Before(Seam::Opened, |asked| {
            let is_bare = header(asked, CONTENT_TYPE) == "application/json" || !asks(asked);
            (!is_bare).then(|| reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported", "application/json only"))
        })];
    "version-refused", "F-04", "400 for MCP-Protocol-Version: 2025-11-25", LIST_WITH_VERSION, listed,
        [Change::Before(Seam::Opened, |asked| {
            (header(asked, VERSION) == "2025-11-25").then(|| rpc(asked, StatusCode::BAD_REQUEST, -32000, "Bad Request: Unsupported protocol version (supported versions: 2025-06-18, 2025-03-26)"))
        })];
    "version-wanted", "F-05", "400 without MCP-Protocol-Version", LIST, listed,
        [Change::Before(Seam::Opened, |asked| {
            (asks(asked) && header(asked, VERSION).is_empty()).then(|| rpc(asked, StatusCode::BAD_REQUEST, -32000, "MCP-Protocol-Version header is required"))
        })];
    "initialize-refused", "F-06", "an error instead of a version that the server knows", BEGIN, begun,
        [Change::Before(Seam::Opened, |asked| {
            let version = asked.json()["params"]["protocolVersion"].clone();
            (is(asked, "initialize") && version != "2024-11-05" && version != "2025-03-26").then(|| rpc(asked, StatusCode::OK, -32602, "Unsupported protocol version"))
        })];
    "version-repeated", "F-06", "the answer to initialize repeats any version", BEGIN_NEWEST, begun,
        [Change::Document(Seam::Opened, |asked, answer| {
            if is(asked, "initialize") {
                answer["result"]["protocolVersion"] = asked.json()["params"]["protocolVersion"].clone();
            }
        })];
    "version-odd", "F-06", "the answer to initialize names a version of its own", BEGIN, begun,
        [Change::Document(Seam::Opened, |asked, answer| {
            if is(asked, "initialize") {
                answer["result"]["protocolVersion"] = "1.0".into();
            }
        })];
    "probe-failed", "F-08", "500 for the probe of the newest version", PROBE, older,
        [Change::Before(Seam::Opened, |asked| is(asked, "server/discover").then(|| html(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")))];
    "probe-forbidden", "F-08", "403 for the probe of the newest version", PROBE, older,
        [Change::Before(Seam::Opened, |asked| is(asked, "server/discover").then(|| html(StatusCode::FORBIDDEN, "Forbidden")))];
    "probe-without-id", "F-08", "an error without the id for the probe of the newest version", PROBE, older,
        [Change::Before(Seam::Opened, |asked| is(asked, "server/discover").then(|| reply::json(StatusCode::OK, &json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "Invalid Request"}}))))];
    "probe-silent", "F-08", "no answer to the probe of the newest version", PROBE, older,
        [Change::After(Seam::Opened, |asked, reply| if is(asked, "server/discover") { reply::late(reply) } else { reply })];
    "meta-refused", "F-10", "400 for members of _meta that the server does not know", CALL_OF_THE_NEWEST, called,
        [Change::Before(Seam::Opened, |asked| {
            let meta = asked.json()["params"]["_meta"].to_string();
            meta.contains("io.modelcontextprotocol").then(|| rpc(asked, StatusCode::BAD_REQUEST, -32602, "Unrecognized key in _meta"))
        })];
    "notification-answered", "F-11", "200 with a body for a notification", NOTIFY, accepted,
        [Change::Before(Seam::Opened, |asked| notified(asked).then(|| reply::json(StatusCode::OK, &json!({"jsonrpc": "2.0", "id": null, "result": {}}))))];
    "notification-204", "F-11", "204 for a notification", NOTIFY, accepted,
        [Change::Before(Seam::Opened, |asked| notified(asked).then(|| reply::empty(StatusCode::NO_CONTENT)))];
    "notification-unknown", "F-12", "400 with -32601 for a notification", NOTIFY, accepted,
        [Change::Before(Seam::Opened, |asked| notified(asked).then(|| rpc(asked, StatusCode::BAD_REQUEST, -32601, "Method not found")))];
    "notification-failed", "F-12", "500 for a notification", NOTIFY, accepted,
        [Change::Before(Seam::Opened, |asked| notified(asked).then(|| html(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")))];
    "stream-not-found", "F-14", "404 for the stream of a GET", LISTEN, no_stream,
        [Change::Before(Seam::Opened, |asked| (asked.head.method == Method::GET).then(|| html(StatusCode::NOT_FOUND, "Not Found")))];
    "stream-page", "F-14", "the page of an app for the stream of a GET", LISTEN, no_stream,
        [Change::Before(Seam::Opened, |asked| (asked.head.method == Method::GET).then(|| html(StatusCode::OK, "My app")))];
    "end-not-found", "F-15", "404 for the end of a session", END, ended,
        [Change::Before(Seam::Opened, |asked| (asked.head.method == Method::DELETE).then(|| html(StatusCode::NOT_FOUND, "Not Found")))];
    "end-failed", "F-15", "500 for the end of a session", END, ended,
        [Change::Before(Seam::Opened, |asked| (asked.head.method == Method::DELETE).then(|| html(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")))];
    "session-400", "F-16", "400 for a session that is gone", LIST_AFTER_A_RESTART, session_gone,
        [Change::Before(Seam::Opened, |asked| lost(asked, StatusCode::BAD_REQUEST))];
    "session-success", "F-16", "200 with an error for a session that is gone", LIST_AFTER_A_RESTART, session_gone,
        [Change::Before(Seam::Opened, |asked| lost(asked, StatusCode::OK))];
    "session-500", "F-16", "500 for a session that is gone", LIST_AFTER_A_RESTART, session_gone,
        [Change::Before(Seam::Opened, |asked| lost(asked, StatusCode::INTERNAL_SERVER_ERROR))];
    "session-null", "F-18", "a session id that is the word null", BEGIN, begun,
        [Change::After(Seam::Opened, |asked, reply| if is(asked, "initialize") { reply::with(reply, SESSION, "null") } else { reply })];
    "session-blanks", "F-18", "a session id with blanks", BEGIN, begun,
        [Change::After(Seam::Opened, |asked, reply| if is(asked, "initialize") { reply::with(reply, SESSION, "a b c") } else { reply })];
    "session-cookie", "F-38", "400 without the cookie that came with the session", LIST_IN_SESSION, listed,
        [
            Change::Before(Seam::Opened, |asked| {
                let has_cookie = header(asked, http::header::COOKIE).contains("instance=7");
                (is(asked, "tools/list") && !has_cookie).then(|| reply::error(StatusCode::BAD_REQUEST, "wrong_instance", "Another instance has this session"))
            }),
            Change::After(Seam::Opened, |asked, reply| if is(asked, "initialize") { reply::with(reply, SET_COOKIE, "instance=7; Path=/; HttpOnly") } else { reply }),
        ];
    "error-400", "F-31", "a JSON-RPC error with the status 400", WRONG_CALL, unknown_tool,
        [Change::After(Seam::Opened, |asked, reply| if is(asked, "tools/call") { reply::status(reply, StatusCode::BAD_REQUEST) } else { reply })];
    "error-500", "F-31", "a JSON-RPC error with the status 500", WRONG_CALL, unknown_tool,
        [Change::After(Seam::Opened, |asked, reply| if is(asked, "tools/call") { reply::status(reply, StatusCode::INTERNAL_SERVER_ERROR) } else { reply })];
    "method-404", "F-32", "the page of a 404 for a method that the server does not have", RESOURCES, unknown_method,
        [Change::Before(Seam::Opened, |asked| is(asked, "resources/list").then(|| html(StatusCode::NOT_FOUND, "Not Found")))];
    "ping-501", "F-32", "501 for a ping", PING, alive,
        [Change::Before(Seam::Opened, |asked| is(asked, "ping").then(|| html(StatusCode::NOT_IMPLEMENTED, "Not Implemented")))];
    "answer-empty", "F-33", "200 without a body to a message that wants an answer", LIST, told,
        [Change::Before(Seam::Opened, |asked| is(asked, "tools/list").then(|| reply::with(reply::empty(StatusCode::OK), CONTENT_TYPE, "application/json")))];
    "head-not-found", "F-36", "404 for a HEAD of the endpoint", LOOK, not_allowed,
        [Change::Before(Seam::Opened, |asked| (asked.head.method == Method::HEAD).then(|| reply::empty(StatusCode::NOT_FOUND)))];
    "busy-page", "F-43", "the page of a 503 to a message", LIST, told_in_json,
        [Change::Before(Seam::Opened, |asked| is(asked, "tools/list").then(|| html(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")))];
}

fn is(asked: &Asked<'_>, method: &str) -> bool {
    asked.head.method == Method::POST && asked.json()["method"] == method
}

fn asks(asked: &Asked<'_>) -> bool {
    asked.head.method == Method::POST && asked.json().get("id").is_some()
}

fn notified(asked: &Asked<'_>) -> bool {
    asked.head.method == Method::POST && asked.json().is_object() && asked.json().get("id").is_none()
}

fn header<'a>(asked: &Asked<'a>, name: HeaderName) -> &'a str {
    asked.head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A JSON-RPC error to this request.
fn rpc(asked: &Asked<'_>, status: StatusCode, code: i64, text: &str) -> Reply {
    let id = asked.json()["id"].clone();
    reply::json(status, &json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}}))
}

fn slash(asked: &Asked<'_>, status: StatusCode) -> Option<Reply> {
    let to = format!("{}/mcp/", asked.origin);
    (asked.path() == "/mcp").then(|| redirect(status, &to))
}

fn refuse_unless(asked: &Asked<'_>, name: HeaderName, part: &str, status: StatusCode) -> Option<Reply> {
    (asks(asked) && !header(asked, name).contains(part)).then(|| rpc(asked, status, -32000, "Not Acceptable"))
}

/// The list of tools as an event stream.
pub(super) fn as_events(asked: &Asked<'_>, reply: Reply, before: &str, after: &str) -> Reply {
    if !is(asked, "tools/list") {
        return reply;
    }
    let message = reply::document(&reply).to_string();
    reply::text(StatusCode::OK, "text/event-stream", format!("{before}{message}{after}"))
}

fn lost(asked: &Asked<'_>, status: StatusCode) -> Option<Reply> {
    let is_old = header(asked, SESSION) == "from-before";
    is_old.then(|| rpc(asked, status, -32000, "Bad Request: No valid session ID provided"))
}
