//! C-10: refresh tokens that are taken and not named.

use serde_json::Value;

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.grant-types",
    rows: &["C-10"],
    summary: "refresh tokens are taken, and the metadata do not say so",
    why: "Clients ask only for the grant types that are listed; without refresh tokens people log in every hour.",
    hits: "VS Code, clients that filter by the list",
    stops: who::NOBODY,
    remedy: "Adds `refresh_token` to the list when the token endpoint answers a made-up refresh token with `invalid_grant`.",
    advice: "List `grant_types_supported: [\"authorization_code\", \"refresh_token\"]`.",
    basis: &[basis::SERVER_MEMBERS],
    default: Mode::Fix,
    on: &[Class::ServerMetadata],
    gate: &[&[Feature::Ok], &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: |_, reply| super::may_be_document(reply), run },
    examples: &[
        Example {
            note: "seen to refresh",
            site: SiteKind::Strict,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"grant_types_supported\":[\"authorization_code\"]}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"grant_types_supported\":[\"authorization_code\",\"refresh_token\"]}",
            ),
        },
        Example {
            note: "not seen",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"grant_types_supported\":[\"authorization_code\"]}",
            then: Then::Sound,
        },
        Example {
            note: "no list",
            site: SiteKind::Strict,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\"}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    if !site.known.refreshes {
        return Outcome::Sound;
    }
    let Some(mut document) = super::own_server(site, reply) else { return Outcome::Sound };
    let Some(Value::Array(mut grants)) = document.get("grant_types_supported") else { return Outcome::Sound };
    if grants.iter().any(|grant| grant == "refresh_token") {
        return Outcome::Sound;
    }
    grants.push("refresh_token".into());
    document.set("grant_types_supported", Value::Array(grants));
    Outcome::mended("refresh tokens are not named", Edits::to_document(document))
}
