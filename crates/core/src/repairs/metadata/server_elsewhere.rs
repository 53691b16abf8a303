//! C-03: the authorization server's metadata are at another place than the one the client asks.

use super::{is_document, is_our_server, tells};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.server-elsewhere",
    rows: &["C-03", "C-02", "C-15"],
    summary: "the authorization server's metadata are not at the place where the client looks",
    why: "The issuer that clients are told is the bare public origin, so they look at the root. A server whose issuer \
          has a path, or that serves only the OpenID document, answers 404 there.",
    hits: "every client, at a server whose issuer has a path; Codex and ChatGPT ask below the MCP path too",
    stops: who::EVERYBODY,
    remedy: "Asks the upstream again where the metadata of its own issuer were found. Never for another host's issuer.",
    advice: "Serve the document at the place that RFC 8414 section 3.1 derives from the issuer, and at the root.",
    basis: &[basis::ISSUER_PLACE],
    default: Mode::Fix,
    on: &[Class::ServerMetadata],
    gate: &[&[Feature::Get, Feature::Head]],
    hook: Hook::Reply { needs: Needs::Json, when: tells, run },
    examples: &[
        Example {
            note: "an issuer with a path",
            site: SiteKind::Pathed,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "404",
            then: Then::Asks("GET /auth/.well-known/openid-configuration"),
        },
        Example {
            note: "below the MCP path",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-authorization-server/mcp",
            reply: "404",
            then: Then::Asks("GET /.well-known/oauth-authorization-server"),
        },
        Example {
            note: "another host's issuer is not ours to speak for",
            site: SiteKind::Foreign,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "404",
            then: Then::Sound,
        },
        Example {
            note: "a document",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let Some(place) = &site.known.server_metadata_path else { return Outcome::Sound };
    if is_document(request, reply)
        || !site.has_own_authorization_server()
        || place == request.path()
        || !is_our_server(site, request)
    {
        return Outcome::Sound;
    }
    Outcome::again("the document is at another place", Ask::at(place.clone()))
}
