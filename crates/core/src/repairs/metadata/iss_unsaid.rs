//! C-18: `iss` in authorization responses that the metadata do not announce.

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::knowledge::is_true;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.iss-unsaid",
    rows: &["C-18"],
    summary: "authorization responses carry `iss`, and the metadata do not say so",
    why: "The Go SDK refuses a response whose `iss` was not announced (RFC 9207 section 2.4 lets it).",
    hits: "Go SDK hosts",
    stops: who::GO,
    remedy: "Sets `authorization_response_iss_parameter_supported` once such a response has passed; the first login with a strict \
             client may still fail. A flag that is there is kept unless it denies what was seen.",
    advice: "Announce it: `authorization_response_iss_parameter_supported: true`.",
    basis: &[basis::ISS],
    default: Mode::Fix,
    on: &[Class::ServerMetadata],
    gate: &[&[Feature::Ok], &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: |_, reply| super::may_be_document(reply), run },
    examples: &[
        Example {
            note: "seen in a redirect",
            site: SiteKind::Taught,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"authorization_response_iss_parameter_supported\":true}",
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
            note: "announced",
            site: SiteKind::Taught,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"authorization_response_iss_parameter_supported\":true}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    if !site.known.sends_iss {
        return Outcome::Sound;
    }
    let Some(mut document) = super::own_server(site, reply) else { return Outcome::Sound };
    if is_true(document.get("authorization_response_iss_parameter_supported")) {
        return Outcome::Sound;
    }
    document.set("authorization_response_iss_parameter_supported", true.into());
    Outcome::mended("iss is sent and not announced", Edits::to_document(document))
}
