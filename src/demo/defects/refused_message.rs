//! How messages are refused or left without an answer (catalogue 4F, F-31 to F-43).

use http::StatusCode;
use http::header::ORIGIN;

use super::{Defect, html, refused};
use crate::demo::mended::messages as mended;
use crate::demo::parts::change::{Asked, Change, Seam};
use crate::demo::parts::reply::{self, Reply};
use crate::demo::visit::messages as visit;
use crate::endpoint::SESSION;

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "error-in-400",
        row: "F-31",
        summary: "a JSON-RPC error comes with HTTP 400",
        ask: visit::UNKNOWN_TOOL,
        check: mended::not_known,
        change: &[Change::After(Seam::Opened, |_, reply| {
            let is_error = reply::document(&reply)["error"].is_object();
            if is_error { reply::status(reply, StatusCode::BAD_REQUEST) } else { reply }
        })],
    },
    Defect {
        name: "error-in-500",
        row: "F-31",
        summary: "a JSON-RPC error comes with HTTP 500",
        ask: visit::UNKNOWN_TOOL,
        check: mended::not_known,
        change: &[Change::After(Seam::Opened, |_, reply| {
            let is_error = reply::document(&reply)["error"].is_object();
            if is_error { reply::status(reply, StatusCode::INTERNAL_SERVER_ERROR) } else { reply }
        })],
    },
    Defect {
        name: "ping-404",
        row: "F-32",
        summary: "a page with 404 for ping, of a server without sessions",
        ask: visit::PING,
        check: mended::alive,
        change: &[
            Change::After(Seam::Opened, |asked, reply| {
                instead(asked, "ping", reply, || html(StatusCode::NOT_FOUND, "404 Not Found"))
            }),
            Change::After(Seam::Opened, |_, reply| reply::without(reply, SESSION)),
        ],
    },
    Defect {
        name: "resources-405",
        row: "F-32",
        summary: "405 for resources/list, of a server without resources",
        ask: visit::RESOURCES,
        check: mended::resources_listed,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            instead(asked, "resources/list", reply, || reply::not_allowed("GET"))
        })],
    },
    Defect {
        name: "resources-501",
        row: "F-32",
        summary: "501 for resources/list, of a server without resources",
        ask: visit::RESOURCES,
        check: mended::resources_listed,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            instead(asked, "resources/list", reply, || {
                reply::text(StatusCode::NOT_IMPLEMENTED, "text/plain", "Not Implemented")
            })
        })],
    },
    Defect {
        name: "answer-empty",
        row: "F-33",
        summary: "200 with an empty body for a message that wants an answer",
        ask: visit::ECHO,
        check: mended::told,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            instead(asked, "tools/call", reply, || reply::text(StatusCode::OK, "application/json", ""))
        })],
    },
    Defect {
        name: "origin-refused",
        row: "F-34",
        summary: "403 for every page, also for those that may call",
        ask: visit::LISTED_PAGE,
        check: mended::initialized,
        change: &[Change::Before(Seam::Opened, |asked| {
            let refusal = || refused(StatusCode::FORBIDDEN, -32000, "Origin not allowed");
            asked.header(&ORIGIN).is_some().then(refusal)
        })],
    },
    Defect {
        name: "origin-unchecked",
        row: "F-34",
        summary: "any page may call a server on the user's own machine",
        ask: visit::FOREIGN_PAGE,
        check: mended::turned_away,
        change: &[Change::Head(Seam::Opened, |asked| {
            let mut headers = asked.head.headers.clone();
            headers.remove(ORIGIN);
            Some(headers)
        })],
    },
    Defect {
        name: "unavailable-page",
        row: "F-43",
        summary: "503 with a page for a message",
        ask: visit::ECHO,
        check: mended::told_in_json,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            instead(asked, "tools/call", reply, || {
                html(StatusCode::SERVICE_UNAVAILABLE, "503 Service Temporarily Unavailable")
            })
        })],
    },
    Defect {
        name: "too-many-page",
        row: "F-43",
        summary: "429 with a page for a message",
        ask: visit::ECHO,
        check: mended::told_in_json,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            instead(asked, "tools/call", reply, || html(StatusCode::TOO_MANY_REQUESTS, "429 Too Many Requests"))
        })],
    },
];

/// Another answer to a method.
fn instead(asked: &Asked<'_>, method: &str, reply: Reply, other: impl FnOnce() -> Reply) -> Reply {
    if asked.calls(method) { other() } else { reply }
}
