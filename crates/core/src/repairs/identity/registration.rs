//! D-23: a registration answer that leads to the upstream's own address.

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "identity.registration",
    rows: &["D-23"],
    summary: "a registration answer names the upstream's own address, as in `registration_client_uri`",
    why: "A client that manages its registration would call a host that it cannot reach, with its access token.",
    hits: "clients that speak RFC 7592",
    stops: who::NOBODY,
    remedy: "The server's own URLs become public ones; what the client stated of itself stays.",
    advice: "Build them from the public base URL.",
    basis: &[basis::REGISTRATION_MANAGEMENT],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[SUCCESS, &[Feature::Json]],
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

/// What the client stated of itself, and credentials: neither is an address of the server's.
const NOT_OF_THE_SERVER: &[&str] = &[
    "client_id",
    "client_secret",
    "registration_access_token",
    "access_token",
    "refresh_token",
    "id_token",
    "redirect_uris",
    "client_uri",
    "logo_uri",
    "tos_uri",
    "policy_uri",
    "jwks_uri",
    "jwks",
    "software_statement",
    "post_logout_redirect_uris",
    "initiate_login_uri",
    "request_uris",
    "sector_identifier_uri",
];

fn run(site: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let Some(mut document) = reply.json().cloned() else { return Outcome::Sound };
    if !super::publish_members(site, &mut document, NOT_OF_THE_SERVER) {
        return Outcome::Sound;
    }
    Outcome::mended("the registration names another address", Edits::to_document(document))
}
