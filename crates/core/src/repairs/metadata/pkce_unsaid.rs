//! C-05: PKCE that the server checks and its metadata do not name.

use serde_json::json;

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.pkce-unsaid",
    rows: &["C-05"],
    summary: "the server checks PKCE, and its metadata do not say so",
    why: "Clients must refuse a server that does not name S256; the Go SDK and strict ones do.",
    hits: "Go SDK hosts, Claude, Cursor, AI SDK",
    stops: who::GO.and(who::AI_SDK).and(who::HOSTED).and(who::CURSOR),
    remedy: "Adds `code_challenge_methods_supported` only on evidence: the server's other document lists S256, or its endpoints \
             refuse a request for its missing `code_challenge` or `code_verifier`. A list that is there is never changed.",
    advice: "List `code_challenge_methods_supported: [\"S256\"]`.",
    basis: &[basis::PKCE],
    default: Mode::Fix,
    on: &[Class::ServerMetadata],
    gate: &[&[Feature::Ok], &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: |_, reply| super::may_be_document(reply), run },
    examples: &[
        Example {
            note: "seen at the endpoints",
            site: SiteKind::Strict,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"code_challenge_methods_supported\":[\"S256\"]}",
            ),
        },
        Example {
            note: "no evidence",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\"}",
            then: Then::Sound,
        },
        Example {
            note: "another list",
            site: SiteKind::Strict,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"code_challenge_methods_supported\":[\"plain\"]}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let listed = site.known.pkce_methods.as_ref().is_some_and(|methods| methods.iter().any(|method| method == "S256"));
    if !site.known.checks_pkce && !listed {
        return Outcome::Sound;
    }
    let Some(mut document) = super::own_server(site, reply) else { return Outcome::Sound };
    if document.has("code_challenge_methods_supported") {
        return Outcome::Sound;
    }
    document.set("code_challenge_methods_supported", json!(["S256"]));
    Outcome::mended("PKCE is checked and not named", Edits::to_document(document))
}
