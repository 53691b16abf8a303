//! How messages are sent and taken over Streamable HTTP (catalogue 4F, F-01 to F-13).

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, StatusCode};
use serde_json::json;

use super::{Defect, html, redirect, refused};
use crate::demo::mended::messages as mended;
use crate::demo::parts::body::Body;
use crate::demo::parts::change::{Asked, Change, Seam};
use crate::demo::parts::reply::{self, Reply};
use crate::demo::visit::{MCP, messages as visit};
use crate::endpoint::SESSION;

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "endpoint-moved-307",
        row: "F-01",
        summary: "the endpoint is at /mcp/, and /mcp redirects there",
        ask: visit::INITIALIZE,
        check: mended::initialized,
        change: &[
            Change::Also("/mcp/", MCP),
            Change::Before(Seam::Refused, |asked| moved(asked, StatusCode::TEMPORARY_REDIRECT, "/mcp/")),
            Change::Before(Seam::Opened, |asked| moved(asked, StatusCode::TEMPORARY_REDIRECT, "/mcp/")),
        ],
    },
    Defect {
        name: "endpoint-moved-308",
        row: "F-01",
        summary: "/mcp redirects to /mcp/ for good, with 308",
        ask: visit::INITIALIZE,
        check: mended::initialized,
        change: &[
            Change::Also("/mcp/", MCP),
            Change::Before(Seam::Refused, |asked| moved(asked, StatusCode::PERMANENT_REDIRECT, "/mcp/")),
            Change::Before(Seam::Opened, |asked| moved(asked, StatusCode::PERMANENT_REDIRECT, "/mcp/")),
        ],
    },
    Defect {
        name: "endpoint-moved-301",
        row: "F-01",
        summary: "/mcp redirects to /mcp/ with 301, which turns POST into GET",
        ask: visit::INITIALIZE,
        check: mended::initialized,
        change: &[
            Change::Also("/mcp/", MCP),
            Change::Before(Seam::Refused, |asked| moved(asked, StatusCode::MOVED_PERMANENTLY, "/mcp/")),
            Change::Before(Seam::Opened, |asked| moved(asked, StatusCode::MOVED_PERMANENTLY, "/mcp/")),
        ],
    },
    Defect {
        name: "endpoint-moved-absolute",
        row: "F-01",
        summary: "the redirect to /mcp/ names the address behind the gateway, over http",
        ask: visit::INITIALIZE,
        check: mended::initialized,
        change: &[
            Change::Also("/mcp/", MCP),
            Change::Before(Seam::Refused, |asked| moved(asked, StatusCode::TEMPORARY_REDIRECT, "{origin}/mcp/")),
            Change::Before(Seam::Opened, |asked| moved(asked, StatusCode::TEMPORARY_REDIRECT, "{origin}/mcp/")),
        ],
    },
    Defect {
        name: "accept-json-refused",
        row: "F-02",
        summary: "406 unless Accept names both forms; a client takes only JSON",
        ask: visit::INITIALIZE_FOR_JSON,
        check: mended::initialized_in_json,
        change: &[Change::Before(Seam::Opened, not_acceptable)],
    },
    Defect {
        name: "accept-any-refused",
        row: "F-02",
        summary: "406 unless Accept names both forms; a client says */*",
        ask: visit::INITIALIZE_FOR_ANYTHING,
        check: mended::initialized,
        change: &[Change::Before(Seam::Opened, not_acceptable)],
    },
    Defect {
        name: "charset-refused",
        row: "F-03",
        summary: "415 for `application/json; charset=utf-8`",
        ask: visit::INITIALIZE_WITH_CHARSET,
        check: mended::initialized,
        change: &[Change::Before(Seam::Opened, unsupported)],
    },
    Defect {
        name: "untyped-refused",
        row: "F-03",
        summary: "415 for a message without Content-Type",
        ask: visit::INITIALIZE_UNTYPED,
        check: mended::initialized,
        change: &[Change::Before(Seam::Opened, unsupported)],
    },
    Defect {
        name: "notification-200",
        row: "F-11",
        summary: "a notification is answered with 200 and a JSON-RPC result",
        ask: visit::NOTIFY,
        check: mended::accepted,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            let body = json!({"jsonrpc": "2.0", "id": null, "result": {}});
            notified(asked, reply, reply::json(StatusCode::OK, &body))
        })],
    },
    Defect {
        name: "notification-204",
        row: "F-11",
        summary: "a notification is answered with 204",
        ask: visit::NOTIFY,
        check: mended::accepted,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            notified(asked, reply, reply::empty(StatusCode::NO_CONTENT))
        })],
    },
    Defect {
        name: "notification-400",
        row: "F-12",
        summary: "400 for a notification, as if it lacked its id",
        ask: visit::NOTIFY,
        check: mended::accepted,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            let body = json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "Missing id"}});
            notified(asked, reply, reply::json(StatusCode::BAD_REQUEST, &body))
        })],
    },
    Defect {
        name: "notification-404",
        row: "F-12",
        summary: "404 for a notification that the server does not know",
        ask: visit::NOTIFY,
        check: mended::accepted,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            let body = json!({"error": "Unknown method: notifications/initialized"});
            notified(asked, reply, reply::json(StatusCode::NOT_FOUND, &body))
        })],
    },
    Defect {
        name: "notification-500",
        row: "F-12",
        summary: "500 for a notification that the server does not know",
        ask: visit::NOTIFY,
        check: mended::accepted,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            let body = html(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error");
            notified(asked, reply, body)
        })],
    },
    Defect {
        name: "notification-error",
        row: "F-12",
        summary: "a notification is answered with a JSON-RPC error: method not found",
        ask: visit::NOTIFY,
        check: mended::accepted,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            let body = json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32601, "message": "Method not found"}});
            notified(asked, reply, reply::json(StatusCode::OK, &body))
        })],
    },
    Defect {
        name: "answer-elsewhere",
        row: "F-13",
        summary: "202 for a message, and its answer on the stream that a GET opens",
        ask: visit::ECHO,
        check: mended::said,
        change: &[Change::After(Seam::Opened, elsewhere)],
    },
];

/// The endpoint is at another place.
fn moved(asked: &Asked<'_>, status: StatusCode, to: &str) -> Option<Reply> {
    (asked.path() == MCP).then(|| redirect(status, &to.replace("{origin}", asked.origin)))
}

/// What the TypeScript SDK's server says.
fn not_acceptable(asked: &Asked<'_>) -> Option<Reply> {
    let accept = asked.header(&ACCEPT).unwrap_or_default();
    let both = accept.contains("application/json") && accept.contains("text/event-stream");
    let text = "Not Acceptable: Client must accept both application/json and text/event-stream";
    let refusal = || refused(StatusCode::NOT_ACCEPTABLE, -32000, text);
    (asked.by(&Method::POST) && !both).then(refusal)
}

/// The media type is compared to the letter.
fn unsupported(asked: &Asked<'_>) -> Option<Reply> {
    let text = "Unsupported Media Type: Content-Type must be application/json";
    let right = asked.header(&CONTENT_TYPE) == Some("application/json");
    (asked.by(&Method::POST) && !right).then(|| refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, -32000, text))
}

/// Another answer to notifications.
fn notified(asked: &Asked<'_>, reply: Reply, other: Reply) -> Reply {
    if asked.notifies() { other } else { reply }
}

/// The answers of a session come on its stream, but for the one that names it.
fn elsewhere(asked: &Asked<'_>, reply: Reply) -> Reply {
    let Some(session) = asked.header(&SESSION) else { return reply };
    if asked.by(&Method::GET) {
        return reply::events(Body::default().then(asked.streams.listen(session)));
    }
    if !asked.wants_answer() || !reply.status().is_success() {
        return reply;
    }
    // An answer that is a stream by itself goes there as it is.
    let words =
        if reply::is_stream(&reply) { reply::bytes(&reply) } else { reply::event(&reply::document(&reply)).into() };
    asked.streams.tell(session, words);
    reply::empty(StatusCode::ACCEPTED)
}
