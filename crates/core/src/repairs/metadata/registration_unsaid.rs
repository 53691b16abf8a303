//! C-11: a registration endpoint that works and is not named.

use serde_json::json;

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.registration-unsaid",
    rows: &["C-11"],
    summary: "the registration endpoint works, and the metadata do not name it",
    why: "The TypeScript SDK stops with \"does not support dynamic client registration\"; only the Python SDK guesses `/register`.",
    hits: "TypeScript SDK clients: Claude Code, mcp-remote, MCP Inspector, Cursor; rmcp clients",
    stops: who::TYPESCRIPT_OAUTH.and(who::RUST).and(who::GO).and(who::HOSTED).and(who::VSCODE).and(who::GEMINI),
    remedy: "Adds `registration_endpoint` when a registration that nobody could accept is refused there, not answered with 404.",
    advice: "Name the `registration_endpoint`.",
    basis: &[basis::SERVER_MEMBERS],
    default: Mode::Fix,
    on: &[Class::ServerMetadata],
    gate: &[&[Feature::Ok], &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: |_, reply| super::may_be_document(reply), run },
    examples: &[
        Example {
            note: "seen to work",
            site: SiteKind::Strict,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"registration_endpoint\":\"https://mcp.example.com/register\"}",
            ),
        },
        Example {
            note: "not seen",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\"}",
            then: Then::Sound,
        },
        Example {
            note: "named",
            site: SiteKind::Strict,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"registration_endpoint\":\"https://mcp.example.com/r\"}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    if !site.known.registers {
        return Outcome::Sound;
    }
    let Some(mut document) = super::own_server(site, reply) else { return Outcome::Sound };
    if document.has("registration_endpoint") {
        return Outcome::Sound;
    }
    document
        .set("registration_endpoint", json!(format!("{}{}", site.facts.public, site.known.endpoints.paths().register)));
    Outcome::mended("the registration endpoint is not named", Edits::to_document(document))
}
