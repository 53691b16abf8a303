//! F-04: header fields that contradict the message (MCP 2026-07-28).

use http::{HeaderName, HeaderValue, StatusCode};

use crate::client::who;
use crate::endpoint::{Class, VERSION};
use crate::exchange::features::Feature;
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::jsonrpc;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "version.header-mismatch",
    rows: &["F-04"],
    summary: "a message is refused because its header fields contradict it",
    why: "A client sends the header of one version with the message of another. A server of 2026-07-28 answers \
          -32020.",
    hits: "claude.ai (\"Header mismatch\")",
    stops: who::CLAUDE,
    remedy: "Asks again with `MCP-Protocol-Version`, `Mcp-Method` and `Mcp-Name` as the message itself says.",
    advice: "None: the server is right.",
    basis: &[basis::STANDARD_HEADERS],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Asks], &[Feature::BadRequest]],
    hook: Hook::Reply { needs: Needs::Json, when, run },
    examples: &[
        Example {
            note: "another version",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2025-11-25\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}}}",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32020,\"message\":\"Header mismatch\"}}",
            then: Then::Asks(
                "POST /mcp\nMcp-Method: tools/call\nMcp-Name: t\nMcp-Protocol-Version: 2026-07-28\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}}}",
            ),
        },
        Example {
            note: "the message names none",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2025-11-25\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32020,\"message\":\"Header mismatch\"}}",
            then: Then::Sound,
        },
        Example {
            note: "another refusal",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2025-11-25\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}}}",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"Invalid params\"}}",
            then: Then::Sound,
        },
    ],
};

const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

fn when(request: &Request, reply: &Reply) -> bool {
    // Who names the version in both places and contradicts the message is refused for good reason.
    request.asks() && !request.is_stateless && reply.status == StatusCode::BAD_REQUEST && !reply.cut_off
}

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let code = reply.json().and_then(|message| message.child("error")?.get("code")?.as_i64());
    if code != Some(jsonrpc::HEADER_MISMATCH) {
        return Outcome::Sound;
    }
    match fields(request) {
        Some(fields) => {
            // It is the client who contradicts itself.
            let ask = Ask { fields, ..Ask::default() };
            Outcome::again("header fields that contradict the message", ask).within_the_rules()
        }
        None => Outcome::Sound,
    }
}

/// The fields as the message itself says, if it names its version and any of them differs.
fn fields(request: &Request) -> Option<Vec<(HeaderName, Option<HeaderValue>)>> {
    let message = super::message(request)?;
    let params = message.child("params")?;
    let version = params.child("_meta")?.text("io.modelcontextprotocol/protocolVersion")?;
    let method = message.text("method")?;
    let name = match method.as_str() {
        "tools/call" | "prompts/get" => params.text("name"),
        "resources/read" => params.text("uri"),
        _ => None,
    };
    let value = |text: &str| HeaderValue::from_str(text).ok();
    let mut fields = vec![(VERSION, Some(value(&version)?)), (METHOD, Some(value(&method)?))];
    if let Some(name) = name.filter(|name| name.is_ascii()) {
        fields.push((NAME, Some(value(&name)?)));
    }
    fields.iter().any(|(name, value)| request.headers.get(name) != value.as_ref()).then_some(fields)
}
