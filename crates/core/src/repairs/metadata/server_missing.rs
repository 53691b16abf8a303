//! C-01, C-02, C-03, C-15, E-01: no document at a place where clients look for our own issuer's, though it is known.

use http::StatusCode;

use super::{is_document, is_our_server, tells};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.server-missing",
    rows: &["C-01", "C-02", "C-03", "C-15", "E-01"],
    summary: "the authorization server's metadata are missing, or fail for once, although they are known",
    why: "A server of the first kind has endpoints at `/authorize`, `/token` and `/register` and no document about \
          them; others answer one of the places with an error, a page or a login. Most clients stop there.",
    hits: "every TypeScript SDK client at an error or a page; Python SDK and rmcp at 429 and 5xx; Codex, ChatGPT",
    stops: who::STRICT.and(who::HOSTED).and(who::GEMINI),
    remedy: "Answers with the document that was found before, at most a minute ago, or with one that names the \
             endpoints that answer at the default paths. Never with another host's document.",
    advice: "Serve the document at the root and below the path of the endpoint, to everybody, as JSON.",
    basis: &[basis::ISSUER_PLACE, basis::SERVER_DEFAULTS],
    default: Mode::Fix,
    on: &[Class::ServerMetadata],
    gate: &[&[Feature::Get, Feature::Head]],
    hook: Hook::Reply { needs: Needs::Json, when: tells, run },
    examples: &[
        Example {
            note: "endpoints at the default paths, no document",
            site: SiteKind::Bare,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "404",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"issuer\":\"http://localhost:3000\",\
                 \"authorization_endpoint\":\"http://localhost:3000/authorize\",\
                 \"token_endpoint\":\"http://localhost:3000/token\",\"response_types_supported\":[\"code\"],\
                 \"registration_endpoint\":\"http://localhost:3000/register\"}",
            ),
        },
        Example {
            note: "another host's",
            site: SiteKind::Foreign,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "500",
            then: Then::Sound,
        },
        Example {
            note: "another issuer's place",
            site: SiteKind::Bare,
            request: "GET /.well-known/oauth-authorization-server/other",
            reply: "404",
            then: Then::Sound,
        },
        Example {
            note: "a document",
            site: SiteKind::Bare,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"http://localhost:3000\"}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    if is_document(request, reply) || !site.has_own_authorization_server() || !is_our_server(site, request) {
        return Outcome::Sound;
    }
    let Some(document) = &site.known.server_document else { return Outcome::Sound };
    let mut edits = Edits::new();
    edits.replace_with_json(reply, StatusCode::OK, document.clone());
    Outcome::mended("no metadata of the authorization server", edits)
}
