//! What is wrong with the HTTP+SSE transport (catalogue 4G).

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Defect, login_page, redirect};
use crate::demo::mended::legacy as mended;
use crate::demo::parts::change::{Asked, Change, Seam};
use crate::demo::parts::reply::{self, Reply};
use crate::demo::visit::legacy as visit;
use crate::endpoint::LEGACY_SSE;

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "sse-endpoint-elsewhere",
        row: "G-01",
        summary: "the endpoint event names the server by another address than clients do",
        ask: visit::ENDPOINT,
        check: mended::endpoint_named,
        change: &[Change::After(Seam::Listening, |asked, reply| {
            points(reply, |to| format!("{}{to}", asked.origin.replace("127.0.0.1", "localhost")))
        })],
    },
    Defect {
        name: "sse-endpoint-object",
        row: "G-02",
        summary: "the endpoint event carries a JSON object",
        ask: visit::ENDPOINT,
        check: mended::endpoint_named,
        change: &[Change::After(Seam::Listening, |_, reply| points(reply, |to| format!("{{\"uri\":\"{to}\"}}")))],
    },
    Defect {
        name: "sse-endpoint-quoted",
        row: "G-02",
        summary: "the endpoint event carries its address in quotes",
        ask: visit::ENDPOINT,
        check: mended::endpoint_named,
        change: &[Change::After(Seam::Listening, |_, reply| points(reply, |to| format!("\"{to}\"")))],
    },
    Defect {
        name: "sse-endpoint-blank",
        row: "G-02",
        summary: "the endpoint event has a blank behind its address",
        ask: visit::ENDPOINT,
        check: mended::endpoint_named,
        change: &[Change::After(Seam::Listening, |_, reply| points(reply, |to| format!("{to} ")))],
    },
    Defect {
        name: "sse-answer-in-post",
        row: "G-03",
        summary: "a message is answered where it was posted, and not on the stream",
        ask: visit::INITIALIZE,
        check: mended::initialized,
        change: &[Change::Before(Seam::Sending, |asked| {
            asked.wants_answer().then(|| reply::json(StatusCode::OK, &hello(asked)))
        })],
    },
    Defect {
        name: "sse-messages-moved",
        row: "G-04",
        summary: "messages are redirected from /messages to /messages/",
        ask: visit::INITIALIZE,
        check: mended::initialized,
        change: &[
            Change::Also("/messages/", "/messages"),
            Change::Before(Seam::Sending, |asked| {
                let query = asked.head.uri.query().unwrap_or_default();
                let to = || redirect(StatusCode::TEMPORARY_REDIRECT, &format!("/messages/?{query}"));
                (asked.path() == "/messages").then(to)
            }),
        ],
    },
    Defect {
        name: "sse-login-page",
        row: "G-07",
        summary: "a stream without a token is a login page, with status 200",
        ask: visit::STRANGER,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, |asked, reply| {
            if asked.by(&Method::GET) && asked.path() == LEGACY_SSE && asked.bearer().is_none() {
                login_page()
            } else {
                reply
            }
        })],
    },
];

/// Another address in the first event.
fn points(reply: Reply, address: impl FnOnce(&str) -> String) -> Reply {
    reply::retold(reply, |text| match text.trim_end().rsplit_once("data: ") {
        Some((field, to)) => format!("{field}data: {}\n\n", address(to)),
        None => text,
    })
}

/// What belongs on the stream.
fn hello(asked: &Asked<'_>) -> Value {
    let result = json!({
        "protocolVersion": "2024-11-05", "capabilities": {"tools": {}},
        "serverInfo": {"name": "mcp-mend-demo", "version": "1"},
    });
    json!({"jsonrpc": "2.0", "id": asked.json()["id"], "result": result})
}
