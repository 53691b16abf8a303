//! How streams are opened, sessions named, lost and ended (catalogue 4F, F-14 to F-18, F-36, F-38).

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;

use super::{Defect, html, refused};
use crate::demo::mended::messages as mended;
use crate::demo::parts::change::{Asked, Change, Seam};
use crate::demo::parts::reply::{self, Reply};
use crate::demo::visit::messages as visit;
use crate::endpoint::SESSION;

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "stream-404",
        row: "F-14",
        summary: "404 for the GET that opens a stream, instead of 405",
        ask: visit::LISTEN,
        check: mended::listening,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            by(asked, reply, &Method::GET, || html(StatusCode::NOT_FOUND, "404 Not Found"))
        })],
    },
    Defect {
        name: "stream-400",
        row: "F-14",
        summary: "400 for the GET that opens a stream",
        ask: visit::LISTEN,
        check: mended::listening,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            by(asked, reply, &Method::GET, || refused(StatusCode::BAD_REQUEST, -32700, "Parse error"))
        })],
    },
    Defect {
        name: "stream-500",
        row: "F-14",
        summary: "500 for the GET that opens a stream",
        ask: visit::LISTEN,
        check: mended::listening,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            by(asked, reply, &Method::GET, || html(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error"))
        })],
    },
    Defect {
        name: "stream-page",
        row: "F-14",
        summary: "a page for the GET that opens a stream, with status 200",
        ask: visit::LISTEN,
        check: mended::listening,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            by(asked, reply, &Method::GET, || html(StatusCode::OK, "Welcome"))
        })],
    },
    Defect {
        name: "stream-json",
        row: "F-14",
        summary: "a JSON document for the GET that opens a stream, with status 200",
        ask: visit::LISTEN,
        check: mended::listening,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            by(asked, reply, &Method::GET, || reply::json(StatusCode::OK, &json!({"status": "ok"})))
        })],
    },
    Defect {
        name: "stream-hangs",
        row: "F-14",
        summary: "the GET that opens a stream is never answered",
        ask: visit::LISTEN,
        check: mended::listening,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            by(asked, reply, &Method::GET, || reply::late(reply::empty(StatusCode::GATEWAY_TIMEOUT)))
        })],
    },
    Defect {
        name: "end-404",
        row: "F-15",
        summary: "404 for the DELETE that ends a session",
        ask: visit::END,
        check: mended::session_ended,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            by(asked, reply, &Method::DELETE, || html(StatusCode::NOT_FOUND, "Cannot DELETE /mcp"))
        })],
    },
    Defect {
        name: "end-500",
        row: "F-15",
        summary: "500 for the DELETE that ends a session",
        ask: visit::END,
        check: mended::session_ended,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            by(asked, reply, &Method::DELETE, || html(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error"))
        })],
    },
    Defect {
        name: "end-hangs",
        row: "F-15",
        summary: "the DELETE that ends a session is never answered",
        ask: visit::END,
        check: mended::session_ended,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            by(asked, reply, &Method::DELETE, || reply::late(reply::empty(StatusCode::GATEWAY_TIMEOUT)))
        })],
    },
    Defect {
        name: "lost-session-400",
        row: "F-16",
        summary: "400 for a session that is gone",
        ask: visit::LOST_SESSION,
        check: mended::session_lost,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            lost(asked, reply, StatusCode::BAD_REQUEST, (-32000, "Bad Request: No valid session ID provided"))
        })],
    },
    Defect {
        name: "lost-session-401",
        row: "F-16",
        summary: "401 for a session that is gone",
        ask: visit::LOST_SESSION,
        check: mended::session_lost,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            lost(asked, reply, StatusCode::UNAUTHORIZED, (-32000, "Session expired"))
        })],
    },
    Defect {
        name: "lost-session-500",
        row: "F-16",
        summary: "500 for a session that is gone",
        ask: visit::LOST_SESSION,
        check: mended::session_lost,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            lost(asked, reply, StatusCode::INTERNAL_SERVER_ERROR, (-32603, "Session not found"))
        })],
    },
    Defect {
        name: "lost-session-200",
        row: "F-16",
        summary: "a JSON-RPC error with status 200 for a session that is gone",
        ask: visit::LOST_SESSION,
        check: mended::session_lost,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            lost(asked, reply, StatusCode::OK, (-32000, "Session not found"))
        })],
    },
    Defect {
        name: "session-null",
        row: "F-18",
        summary: "Mcp-Session-Id: null, the word for none",
        ask: visit::SESSION,
        check: mended::session_kept,
        change: &[Change::After(Seam::Opened, |asked, reply| named(asked, reply, |_| "null".to_owned()))],
    },
    Defect {
        name: "session-blanks",
        row: "F-18",
        summary: "a session id with blanks in it",
        ask: visit::SESSION,
        check: mended::session_kept,
        change: &[
            Change::After(Seam::Opened, |asked, reply| named(asked, reply, |id| format!("session of {id}"))),
            Change::Head(Seam::Opened, |asked| {
                let id = asked.header(&SESSION)?.strip_prefix("session of ")?;
                let mut headers = asked.head.headers.clone();
                headers.insert(SESSION, HeaderValue::from_str(id).ok()?);
                Some(headers)
            }),
        ],
    },
    Defect {
        name: "head-404",
        row: "F-36",
        summary: "404 for HEAD, by which clients look whether somebody is there",
        ask: visit::HEAD,
        check: mended::there,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            by(asked, reply, &Method::HEAD, || reply::empty(StatusCode::NOT_FOUND))
        })],
    },
    Defect {
        name: "head-500",
        row: "F-36",
        summary: "500 for HEAD, by which clients look whether somebody is there",
        ask: visit::HEAD,
        check: mended::there,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            by(asked, reply, &Method::HEAD, || reply::empty(StatusCode::INTERNAL_SERVER_ERROR))
        })],
    },
    Defect {
        name: "cookie-wanted",
        row: "F-38",
        summary: "a session is found again only with the cookie that came with it",
        ask: visit::SESSION,
        check: mended::session_kept,
        change: &[
            Change::After(Seam::Opened, |asked, mut reply| {
                if asked.calls("initialize") {
                    reply.headers_mut().insert(SET_COOKIE, HeaderValue::from_static(COOKIE_SET));
                }
                reply
            }),
            Change::Before(Seam::Opened, |asked| {
                let has = asked.header(&COOKIE).is_some_and(|cookie| cookie.contains("instance=7"));
                let is_lost = asked.header(&SESSION).is_some() && !has;
                is_lost.then(|| refused(StatusCode::NOT_FOUND, -32001, "Session not found"))
            }),
        ],
    },
];

/// Ties a session to an instance.
const COOKIE_SET: &str = "instance=7; Path=/; HttpOnly";

/// Another answer to a method of HTTP.
fn by(asked: &Asked<'_>, reply: Reply, method: &Method, other: impl FnOnce() -> Reply) -> Reply {
    if asked.by(method) { other() } else { reply }
}

/// Another answer to a message of a session that is gone.
fn lost(asked: &Asked<'_>, reply: Reply, status: StatusCode, (code, text): (i32, &str)) -> Reply {
    let is_lost = asked.header(&SESSION).is_some() && reply.status() == StatusCode::NOT_FOUND;
    if is_lost { refused(status, code, text) } else { reply }
}

/// Another name for the session that begins.
fn named(asked: &Asked<'_>, reply: Reply, name: impl FnOnce(&str) -> String) -> Reply {
    if !asked.calls("initialize") {
        return reply;
    }
    let id = reply.headers().get(SESSION).and_then(|id| id.to_str().ok()).map(name);
    reply::with_text(reply, SESSION, &id.unwrap_or_default())
}
