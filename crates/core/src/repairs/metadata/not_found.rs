//! B-07, B-11, C-15: what is no document at the place of one.

use http::StatusCode;
use serde_json::json;

use super::{is_document, is_our_resource, tells};
use crate::client::who;
use crate::edit::json::Object;
use crate::edit::origin::after_origin;
use crate::endpoint::Class;
use crate::endpoint::RESOURCE_METADATA;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.not-found",
    rows: &["B-07", "B-11", "C-15"],
    summary: "a place without a document is answered with a page, a login, an error, or another resource's document",
    why: "Only 404 says that there is no document and lets the client go on to the next place. At a page with 200 or an \
          error of the server TypeScript clients stop, at 429 and 5xx all of them, and a server without OAuth seems to \
          have one that is broken.",
    hits: "every client; claude.ai at a page: \"Couldn't register with the sign-in service\"",
    stops: who::STRICT.and(who::HOSTED),
    remedy: "Answers 404 with `{\"error\":\"not_found\"}`. A document stays; if the upstream cannot be reached or breaks \
             off the client is told that.",
    advice: "Answer well-known paths that you do not serve with 404, before the catch-all page and before the login.",
    basis: &[basis::RESOURCE_RESPONSE, basis::SERVER_RESPONSE, basis::METADATA_FALLBACK],
    default: Mode::Fix,
    on: &[Class::ResourceMetadata, Class::ServerMetadata],
    gate: &[&[Feature::Get, Feature::Head]],
    hook: Hook::Reply { needs: Needs::Json, when: tells, run },
    examples: &[
        Example {
            note: "the catch-all page of a server without OAuth",
            site: SiteKind::Open,
            request: "GET /.well-known/oauth-protected-resource/mcp",
            reply: "200\nContent-Type: text/html\nETag: \"1\"",
            then: Then::Becomes("404\nContent-Type: application/json\n\n{\"error\":\"not_found\"}"),
        },
        Example {
            note: "behind the login",
            site: SiteKind::Foreign,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "302\nLocation: https://login.example.net/",
            then: Then::Becomes("404\nContent-Type: application/json\n\n{\"error\":\"not_found\"}"),
        },
        Example {
            note: "JSON that is no document",
            site: SiteKind::Open,
            request: "GET /.well-known/openid-configuration",
            reply: "200\nContent-Type: application/json\n\n{\"ok\":true}",
            then: Then::Becomes("404\nContent-Type: application/json\n\n{\"error\":\"not_found\"}"),
        },
        Example {
            note: "another resource's document",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-protected-resource/other",
            reply: "200\nContent-Type: application/json\n\n{\"resource\":\"http://localhost:3000/mcp\"}",
            then: Then::Becomes("404\nContent-Type: application/json\n\n{\"error\":\"not_found\"}"),
        },
        Example {
            note: "a second endpoint's own document",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-protected-resource/other",
            reply: "200\nContent-Type: application/json\n\n{\"resource\":\"https://mcp.example.com/other\"}",
            then: Then::Sound,
        },
        Example {
            note: "404 as it shall be",
            site: SiteKind::Open,
            request: "GET /.well-known/oauth-protected-resource",
            reply: "404\nContent-Type: text/plain",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let says_so = reply.status == StatusCode::NOT_FOUND && !reply.is_of("text/html");
    let others = is_of_another_resource(site, request, reply);
    if reply.cut_off || says_so || (is_document(request, reply) && !others) {
        return Outcome::Sound;
    }
    let what = if others { "the document of another resource" } else { "no document, and no 404 either" };
    let is_told = reply.status == StatusCode::NOT_FOUND && !others;
    let mut edits = Edits::new();
    edits.replace_with_json(reply, StatusCode::NOT_FOUND, Object::new([("error", json!("not_found"))]));
    let outcome = Outcome::mended(what, edits);
    // Whatever the body of a 404 is: the status says it.
    if is_told { outcome.within_the_rules().stopping(who::CLAUDE) } else { outcome }
}

/// Whether a document at another endpoint's place names another resource than the place does (RFC 9728 section 3.3).
fn is_of_another_resource(site: &Site<'_>, request: &Request, reply: &Reply) -> bool {
    if request.class != Class::ResourceMetadata || is_our_resource(site, request) {
        return false;
    }
    let Some(place) = request.path().strip_prefix(RESOURCE_METADATA) else { return false };
    let Some(resource) = reply.json().and_then(|document| document.text("resource")) else { return false };
    site.owns(&resource)
        && after_origin(&resource).is_some_and(|path| path.trim_end_matches('/') != place.trim_end_matches('/'))
}
