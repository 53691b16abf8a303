//! F-27: null where a member shall be left out.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;

use super::shape::{Shape, shape_by_request, shape_of};
use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "message.nulls",
    rows: &["F-27"],
    summary: "an optional member of a list or of the answer to `initialize` is null",
    why: "The TypeScript SDK takes a member that may be missing, but not null: one null description loses the \
          whole list. rmcp asks for ever for the page behind an empty cursor.",
    hits: "TypeScript SDK clients: Claude Code, Cursor, Inspector (no tools at all); rmcp (an empty cursor)",
    stops: who::TYPESCRIPT_MESSAGES.and(who::PYTHON).and(who::RUST),
    remedy: "Takes the nulls out that the schema names as optional members, and an empty cursor. Everything \
             else stays byte for byte; what tools are given and say is never touched.",
    advice: "Leave out what is not there (`exclude_none`, `JsonIgnoreCondition.WhenWritingNull`, \
             `skip_serializing_if`).",
    basis: &[basis::SCHEMA],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::Response]],
    hook: Hook::Message { when, run },
    examples: &[
        Example {
            note: "a tool",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"a\",\"title\":null,\"inputSchema\":{\"type\":\"object\",\"default\":null},\"annotations\":{\"readOnlyHint\":null, \"title\":\"x\"}}, {\"name\":\"b\",\"inputSchema\":{\"type\":\"object\"},\"outputSchema\":null}],\"nextCursor\":null}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"a\",\"inputSchema\":{\"type\":\"object\",\"default\":null},\"annotations\":{\"title\":\"x\"}}, {\"name\":\"b\",\"inputSchema\":{\"type\":\"object\"}}]}}",
            ),
        },
        Example {
            note: "an empty cursor",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[],\"nextCursor\":\"\"}}",
            then: Then::Becomes("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[]}}"),
        },
        Example {
            note: "initialize",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{\"listChanged\":null}},\"serverInfo\":{\"name\":\"s\",\"title\":null,\"version\":\"1\"},\"instructions\":null}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}",
            ),
        },
        Example {
            note: "a result",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"x\",\"annotations\":null}],\"structuredContent\":null,\"isError\":null}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"x\",\"annotations\":null}]}}",
            ),
        },
        Example {
            note: "whatever was asked on the other stream",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"x\":null,\"nextCursor\":\"\",\"_meta\":null}}",
            then: Then::Becomes("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"x\":null}}"),
        },
        Example {
            note: "a page of a tool's own",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"rows\":null,\"nextCursor\":\"\"}}",
            then: Then::Sound,
        },
        Example {
            note: "nothing, as a value of the newest version",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2026-07-28\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"complete\",\"content\":[],\"structuredContent\":null}}",
            then: Then::Sound,
        },
        Example {
            note: "what a tool says",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[],\"structuredContent\":{\"a\":null}}}",
            then: Then::Sound,
        },
        Example {
            note: "a text",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"a\",\"description\":\"null\",\"inputSchema\":{\"type\":\"object\"}}]}}",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, message: &Envelope) -> bool {
    static NULL: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("null"));
    static CURSOR: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("\"nextCursor\""));
    let is_paged = || shape_by_request(request).is_none_or(Shape::is_paged);
    let has = |text: &Bytes| NULL.find(text).is_some() || (is_paged() && CURSOR.find(text).is_some());
    message.is_response() && message.result.as_ref().is_some_and(has)
}

fn run(_: &Site<'_>, request: &Request, message: &Object) -> Outcome {
    let Some(mut result) = message.child("result") else { return Outcome::Sound };
    let shape = shape_of(request, message.raw("result").as_ref());
    shape.tidy(&mut result);
    if shape.is_paged() && result.text("nextCursor").as_deref() == Some("") {
        result.remove("nextCursor");
    }
    if !result.is_changed() {
        return Outcome::Sound;
    }
    Outcome::mended("null where a member shall be left out", super::with(message, "result", result.to_bytes()))
}
