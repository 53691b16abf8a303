//! B-01: no resource metadata, but an authorization server of the upstream's own to derive them from.

use http::StatusCode;
use serde_json::json;

use super::{is_read, may_be_document};
use crate::edit::json::Object;
use crate::endpoint::{self, Class};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.resource-missing",
    rows: &["B-01"],
    summary: "there are no resource metadata although the server has an authorization server of its own",
    why: "Since MCP 2025-06-18 clients find the authorization server through the resource metadata, and send \
          `resource` only if there are some.",
    hits: "claude.ai, ChatGPT, Gemini CLI; others fall back to guesses",
    remedy: "Answers with a document derived from what is known: the resource, and the public origin as its \
             authorization server.",
    advice: "Serve RFC 9728 metadata at `/.well-known/oauth-protected-resource/mcp`.",
    basis: &[basis::RESOURCE_MUST],
    default: Mode::Fix,
    on: &[Class::ResourceMetadata],
    hook: Hook::Reply { needs: Needs::Head, when: |request, reply| is_read(request) && !may_be_document(reply), run },
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

fn run(site: &Site<'_>, request: &Request, reply: &mut Reply) -> Outcome {
    let asked_for_ours =
        endpoint::resource_metadata_places(&site.facts.mcp_path).iter().any(|place| place == request.path());
    if !asked_for_ours || site.known.resource_metadata_path.is_some() || !site.has_own_authorization_server() {
        return Outcome::Sound;
    }
    let document = Object::new([
        ("resource", json!(site.resource())),
        ("authorization_servers", json!([site.issuer()])),
        ("bearer_methods_supported", json!(["header"])),
    ]);
    reply.replace_with_json(StatusCode::OK, document);
    Outcome::mended("no resource metadata")
}
