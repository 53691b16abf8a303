//! D-23: a registration answer that leads to the upstream's own address.

use crate::endpoint::Class;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "identity.registration",
    rows: &["D-23"],
    summary: "`registration_client_uri` names the upstream's own address",
    why: "A client that manages its registration would call a host that it cannot reach, with its access token.",
    hits: "clients that speak RFC 7592",
    remedy: "The URL becomes the public one.",
    advice: "Build it from the public base URL.",
    basis: &[basis::REGISTRATION_MANAGEMENT],
    default: Mode::Fix,
    on: &[Class::Register],
    hook: Hook::Reply { needs: Needs::Json, when: |_, reply| reply.status.is_success() && reply.is_json(), run },
    examples: &[
        Example {
            note: "the internal host",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"registration_client_uri\":\"http://127.0.0.1:3000/register/a\"}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n\
                 {\"client_id\":\"a\",\"registration_client_uri\":\"https://mcp.example.com/register/a\"}",
            ),
        },
        Example {
            note: "another host",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"registration_client_uri\":\"https://login.example.net/a\"}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, _: &Request, reply: &mut Reply) -> Outcome {
    let Some(document) = reply.json_mut() else { return Outcome::Sound };
    let Some(public) = document.text("registration_client_uri").and_then(|url| site.to_public(&url)) else {
        return Outcome::Sound;
    };
    document.set("registration_client_uri", public.into());
    Outcome::mended("registration_client_uri names another address")
}
