//! B-01, B-07: no resource metadata, but an authorization server to derive them from.

use http::StatusCode;
use serde_json::json;

use super::{is_document, is_our_resource, tells};
use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.resource-missing",
    rows: &["B-01", "B-07"],
    summary: "there are no resource metadata, or they fail for once, although the authorization server is known",
    why: "Since MCP 2025-06-18 clients find the authorization server through the resource metadata, and send \
          `resource` only if there are some.",
    hits: "claude.ai, ChatGPT, Gemini CLI; others fall back to guesses",
    stops: who::HOSTED.and(who::PYTHON).and(who::RUST),
    remedy: "Answers with the document that was found before, at most a minute ago, or with one derived from what is \
             known: the resource, and its authorization server (the public origin for the upstream's own).",
    advice: "Serve RFC 9728 metadata at `/.well-known/oauth-protected-resource/mcp`.",
    basis: &[basis::RESOURCE_MUST],
    default: Mode::Fix,
    on: &[Class::ResourceMetadata],
    gate: &[&[Feature::Get, Feature::Head]],
    hook: Hook::Reply { needs: Needs::Json, when: tells, run },
    examples: &[
        Example {
            note: "404",
            site: SiteKind::NoResourceMetadata,
            request: "GET /.well-known/oauth-protected-resource/mcp",
            reply: "404\nContent-Type: text/plain",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n\
                 {\"resource\":\"https://mcp.example.com/mcp\",\"authorization_servers\":[\"https://mcp.example.com\"],\
                 \"bearer_methods_supported\":[\"header\"]}",
            ),
        },
        Example {
            note: "a server without OAuth stays one",
            site: SiteKind::Open,
            request: "GET /.well-known/oauth-protected-resource/mcp",
            reply: "404",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    if is_document(request, reply) || !is_our_resource(site, request) {
        return Outcome::Sound;
    }
    let foreign = site.known.foreign.as_ref().map(|foreign| foreign.issuer.as_str());
    let server = if site.has_own_authorization_server() { Some(site.issuer()) } else { foreign };
    let document = match (&site.known.resource_document, server) {
        (Some(document), _) => document.clone(),
        (None, Some(server)) => Object::new([
            ("resource", json!(site.resource())),
            ("authorization_servers", json!([server])),
            ("bearer_methods_supported", json!(["header"])),
        ]),
        (None, None) => return Outcome::Sound,
    };
    let mut edits = Edits::new();
    edits.replace_with_json(reply, StatusCode::OK, document);
    Outcome::mended("no resource metadata", edits)
}
