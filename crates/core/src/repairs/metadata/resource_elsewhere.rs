//! B-02: the resource metadata are at another place than the one the client asks.

use super::{is_document, is_our_resource, tells};
use crate::client::who;
use crate::endpoint::{self, Class};
use crate::exchange::features::Feature;
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.resource-elsewhere",
    rows: &["B-02"],
    summary: "the resource metadata are not at the place where the client looks",
    why: "Clients look at the path-inserted place, ChatGPT at the root, rmcp also below the endpoint. A server that \
          serves one of them is invisible to those who ask for another.",
    hits: "ChatGPT (root), Claude, VS Code, SDK clients (path-inserted)",
    stops: who::HOSTED,
    remedy: "Asks the upstream again at the place where its document was found, at all three places of the endpoint.",
    advice: "Serve the document at `/.well-known/oauth-protected-resource/mcp` and at the root.",
    basis: &[basis::RESOURCE_PLACE],
    default: Mode::Fix,
    on: &[Class::ResourceMetadata],
    gate: &[&[Feature::Get, Feature::Head]],
    hook: Hook::Reply { needs: Needs::Json, when: tells, run },
    examples: &[
        Example {
            note: "only at the root",
            site: SiteKind::Pathed,
            request: "GET /.well-known/oauth-protected-resource/mcp",
            reply: "404",
            then: Then::Asks("GET /.well-known/oauth-protected-resource"),
        },
        Example {
            note: "only path-inserted, and the root is a web page",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-protected-resource",
            reply: "200\nContent-Type: text/html",
            then: Then::Asks("GET /.well-known/oauth-protected-resource/mcp"),
        },
        Example {
            note: "another resource's document is none of ours",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-protected-resource/other",
            reply: "404",
            then: Then::Sound,
        },
        Example {
            note: "a document",
            site: SiteKind::Pathed,
            request: "GET /.well-known/oauth-protected-resource",
            reply: "200\nContent-Type: application/json",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let Some(place) = &site.known.resource_metadata_path else { return Outcome::Sound };
    if is_document(request, reply) || !is_our_resource(site, request) || place == request.path() {
        return Outcome::Sound;
    }
    let outcome = Outcome::again("the document is at another place", Ask::at(place.clone()));
    // Only the first of the places is prescribed (RFC 9728 section 3.1); ChatGPT asks at the root.
    let path = request.path();
    match () {
        () if path == endpoint::resource_metadata_path(&site.facts.mcp_path) => outcome,
        () if path == endpoint::RESOURCE_METADATA => outcome.within_the_rules().stopping(who::CHATGPT),
        () => outcome.within_the_rules().stopping(who::NOBODY),
    }
}
