//! F-07: what the answer to `initialize` must say.

use serde_json::json;

use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "message.initialize-incomplete",
    rows: &["F-07"],
    summary: "the answer to `initialize` lacks what it must say, or says it in another form",
    why: "Every client stops at an answer without capabilities, serverInfo or its version. `\"tools\": true` is \
          meant well, and no client can read it.",
    hits: "every client: the connection ends at once",
    stops: who::EVERYBODY,
    remedy: "Fills in empty capabilities, the public host as the name and `0` as the version; makes `true` an \
             empty object and takes null and false capabilities out. Nothing is claimed that the server did not \
             claim.",
    advice: "Answer with protocolVersion, capabilities and serverInfo {name, version}.",
    basis: &[basis::VERSION_NEGOTIATION],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::Initialize, Feature::Get], &[Feature::HasResult]],
    hook: Hook::Message { when, run },
    examples: &[
        Example {
            note: "nothing but a version",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-11-25\"}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"serverInfo\":{\"name\":\"mcp.example.com\",\"version\":\"0\"}}}",
            ),
        },
        Example {
            note: "flags and nulls",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":true,\"prompts\":null,\"logging\":false,\"resources\":{\"subscribe\":true}},\"serverInfo\":{\"name\":\"s\",\"version\":1}}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{},\"resources\":{\"subscribe\":true}},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}",
            ),
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{\"listChanged\":true},\"experimental\":{}},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, message: &Envelope) -> bool {
    super::is_answer_to(request, message, "initialize")
}

fn run(site: &Site<'_>, _: &Request, message: &Object) -> Outcome {
    let Some(mut result) = message.child("result") else { return Outcome::Sound };
    let mut capabilities = result.child("capabilities").unwrap_or_else(|| Object::new([]));
    for name in capabilities.names() {
        match capabilities.raw(&name).as_deref() {
            // PHP writes an empty object as an empty list.
            Some(b"true" | b"[]") => capabilities.set(&name, json!({})),
            Some(b"false" | b"null") => capabilities.remove(&name),
            _ => {}
        }
    }
    let mut server = result.child("serverInfo").unwrap_or_else(|| Object::new([]));
    if server.text("name").is_none() {
        server.set("name", site.facts.public.authority().into());
    }
    if server.text("version").is_none() {
        let version = server.get("version").filter(serde_json::Value::is_number);
        server.set("version", version.map_or_else(|| "0".to_owned(), |version| version.to_string()).into());
    }
    for (name, part) in [("capabilities", capabilities), ("serverInfo", server)] {
        if part.is_changed() {
            result.splice(name, part.to_bytes());
        }
    }
    if !result.is_changed() {
        return Outcome::Sound;
    }
    Outcome::mended("an incomplete answer to initialize", super::with(message, "result", result.to_bytes()))
}
