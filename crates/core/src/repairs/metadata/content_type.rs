//! B-08: a discovery document under another content type.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use super::is_read;
use crate::client::who;
use crate::documents;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.content-type",
    rows: &["B-08", "C-15"],
    summary: "a discovery document is not labelled as JSON",
    why: "The Go SDK reads only `application/json`; other clients take what is called text or a page for no document.",
    hits: "Go SDK hosts, strict clients",
    stops: who::GO,
    remedy: "Labels what is such a document `application/json`. Anything else stays as it is called.",
    advice: "Send `Content-Type: application/json` with the well-known documents.",
    basis: &[basis::RESOURCE_RESPONSE, basis::SERVER_RESPONSE],
    default: Mode::Fix,
    on: &[Class::ResourceMetadata, Class::ServerMetadata],
    gate: &[&[Feature::Get, Feature::Head], &[Feature::Ok]],
    hook: Hook::Reply {
        needs: Needs::Body,
        when: |request, reply| is_read(request) && reply.status == StatusCode::OK && !reply.is_json(),
        run,
    },
    examples: &[
        Example {
            note: "plain text",
            site: SiteKind::Open,
            request: "GET /.well-known/oauth-protected-resource",
            reply: "200\nContent-Type: text/plain\n\n{\"resource\":\"https://mcp.example.com/mcp\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"resource\":\"https://mcp.example.com/mcp\"}",
            ),
        },
        Example {
            note: "a page",
            site: SiteKind::Open,
            request: "GET /.well-known/oauth-protected-resource",
            reply: "200\nContent-Type: text/html\n\n<!doctype html>",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let is_document = reply.json().is_some_and(|document| match request.class {
        Class::ResourceMetadata => documents::is_resource_metadata(document),
        _ => documents::straightened(document).is_some() || documents::is_server_metadata(document),
    });
    if !is_document {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.set(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Outcome::mended("a document that is not labelled as JSON", edits)
}
