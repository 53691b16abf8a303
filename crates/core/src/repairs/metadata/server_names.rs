//! C-20: authorization server metadata under other names, or in a member of another object.

use super::may_be_document;
use crate::client::who;
use crate::documents;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.server-names",
    rows: &["C-20"],
    summary: "the authorization server's metadata have other names for the endpoints, or stand in a member",
    why: "Clients look for the registered names at the top of the document and find none of them.",
    hits: "every client",
    stops: who::EVERYBODY,
    remedy: "Gives the endpoints their registered names and takes the document out of its wrapping. A document that has \
             its endpoints stays as it is.",
    advice: "Write the members as RFC 8414 section 2 names them, at the top level.",
    basis: &[basis::SERVER_MEMBERS],
    default: Mode::Fix,
    on: &[Class::ServerMetadata],
    gate: &[&[Feature::Ok], &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: |_, reply| may_be_document(reply), run },
    examples: &[
        Example {
            note: "other names",
            site: SiteKind::Foreign,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://h.example\",\
                    \"authorize_url\":\"https://h.example/a\",\"token_url\":\"https://h.example/t\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"issuer\":\"https://h.example\",\
                 \"authorization_endpoint\":\"https://h.example/a\",\"token_endpoint\":\"https://h.example/t\"}",
            ),
        },
        Example {
            note: "wrapped",
            site: SiteKind::Foreign,
            request: "GET /.well-known/openid-configuration",
            reply: "200\nContent-Type: application/json\n\n{\"data\":{\"issuer\":\"https://h.example\",\
                    \"authorization_endpoint\":\"https://h.example/a\",\"token_endpoint\":\"https://h.example/t\"}}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"issuer\":\"https://h.example\",\
                 \"authorization_endpoint\":\"https://h.example/a\",\"token_endpoint\":\"https://h.example/t\"}",
            ),
        },
        Example {
            note: "the registered names",
            site: SiteKind::Foreign,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://h.example\",\
                    \"authorization_endpoint\":\"https://h.example/a\",\"token_endpoint\":\"https://h.example/t\",\
                    \"token_url\":\"x\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let Some(straight) = reply.json().and_then(documents::straightened) else { return Outcome::Sound };
    Outcome::mended("the endpoints have other names", Edits::to_document(straight))
}
