//! F-28: the schema of what a tool is given.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "message.input-schema",
    rows: &["F-28"],
    summary: "a tool has no `inputSchema`, or one without a type",
    why: "The schema must be there and be one of an object. A tool without parameters is often written without \
          it, and then the whole list is lost.",
    hits: "every client (missing); TypeScript and Python SDK clients (no type)",
    stops: who::EVERYBODY,
    remedy: "Writes `{\"type\":\"object\"}`, or adds the type to a schema that has none. Any other schema stays, and \
             with MCP 2026-07-28 every `outputSchema`: there it may be of anything (SEP-2106).",
    advice: "Give every tool an `inputSchema`; without parameters `{\"type\":\"object\"}`.",
    basis: &[basis::SCHEMA],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::HasResult]],
    hook: Hook::Message { when, run },
    examples: &[
        Example {
            note: "none",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"a\"},{\"name\":\"b\",\"inputSchema\":null}]}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"a\",\"inputSchema\":{\"type\":\"object\"}},{\"name\":\"b\",\"inputSchema\":{\"type\":\"object\"}}]}}",
            ),
        },
        Example {
            note: "no type",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"a\",\"inputSchema\":{},\"outputSchema\":{\"properties\":{}}}]}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"a\",\"inputSchema\":{\"type\":\"object\"},\"outputSchema\":{\"properties\":{},\"type\":\"object\"}}]}}",
            ),
        },
        Example {
            note: "of anything, in the newest version",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2026-07-28\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"a\",\"inputSchema\":{},\"outputSchema\":{\"anyOf\":[]}}]}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"a\",\"inputSchema\":{\"type\":\"object\"},\"outputSchema\":{\"anyOf\":[]}}]}}",
            ),
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"a\",\"inputSchema\":{ \"type\" : \"object\" }}]}}",
            then: Then::Sound,
        },
        Example {
            note: "an empty list for an empty object",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"a\",\"inputSchema\":{\"type\":[\"object\",\"null\"],\"properties\":[]}}]}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"a\",\"inputSchema\":{\"type\":\"object\",\"properties\":{}}}]}}",
            ),
        },
        Example {
            note: "on the stream of the older transport",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"a\"}]}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"a\",\"inputSchema\":{\"type\":\"object\"}}]}}",
            ),
        },
        Example {
            note: "what a tool says",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[],\"tools\":[{\"name\":\"a\"}]}}",
            then: Then::Sound,
        },
        Example {
            note: "no tool",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[1]}}",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, message: &Envelope) -> bool {
    super::is_answer_to(request, message, "tools/list")
}

fn run(_: &Site<'_>, request: &Request, message: &Object) -> Outcome {
    let Some(mut result) = message.child("result") else { return Outcome::Sound };
    let Some(mut tools) = result.list("tools") else { return Outcome::Sound };
    let of_objects: &[&str] = if request.is_modern() { &["inputSchema"] } else { &["inputSchema", "outputSchema"] };
    if !tools.change(|tool| mended(tool, of_objects)) {
        return Outcome::Sound;
    }
    result.splice("tools", tools.to_bytes());
    Outcome::mended("a tool without a schema of an object", super::with(message, "result", result.to_bytes()))
}

fn mended(mut tool: Object, of_objects: &[&str]) -> Option<Bytes> {
    let is_none = |text: Bytes| &text[..] == b"null" || &text[..] == b"[]";
    if tool.raw("inputSchema").is_none_or(is_none) {
        tool.set("inputSchema", json!({ "type": "object" }));
    }
    // PHP writes an empty object as an empty list, and an empty schema says as much as none.
    if tool.raw("outputSchema").as_deref() == Some(b"[]") {
        tool.remove("outputSchema");
    }
    for name in of_objects {
        let Some(mut schema) = tool.child(name) else { continue };
        let is_object = |kind: &Value| kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "object"));
        let is_right = schema.raw("type").as_deref() == Some(b"\"object\"");
        if !is_right && schema.get("type").is_none_or(|kind| kind.is_null() || is_object(&kind)) {
            schema.set("type", "object".into());
        }
        // PHP writes an empty object as an empty list.
        if schema.raw("properties").as_deref() == Some(b"[]") {
            schema.set("properties", json!({}));
        }
        if schema.is_changed() {
            tool.splice(name, schema.to_bytes());
        }
    }
    tool.is_changed().then(|| tool.to_bytes())
}
