//! C-02, C-08: an OpenID document without the members that OpenID requires.

use serde_json::json;

use crate::client::who;
use crate::endpoint;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.openid-incomplete",
    rows: &["C-08", "C-02"],
    summary: "an OpenID document lacks members that OpenID Connect requires",
    why: "The TypeScript SDK checks a document at an OpenID place against OpenID's schema and refuses it without the keys, the \
          subject types and the signing algorithms, although MCP uses none of them.",
    hits: "TypeScript SDK clients at a server that serves its metadata at `openid-configuration`",
    stops: who::TYPESCRIPT_OAUTH,
    remedy: "Adds `subject_types_supported`, `id_token_signing_alg_values_supported` and `jwks_uri`; the latter is answered with \
             an empty set of keys. Only for the server's own issuer.",
    advice: "Serve RFC 8414 metadata at `/.well-known/oauth-authorization-server`, or a complete OpenID document.",
    basis: &[basis::OPENID_MEMBERS],
    default: Mode::Fix,
    on: &[Class::ServerMetadata],
    gate: &[&[Feature::Ok], &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: |_, reply| super::may_be_document(reply), run },
    examples: &[
        Example {
            note: "no keys",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/openid-configuration",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"jwks_uri\":\"https://mcp.example.com/.well-known/jwks.json\",\"subject_types_supported\":[\"public\"],\"id_token_signing_alg_values_supported\":[\"RS256\"]}",
            ),
        },
        Example {
            note: "an OAuth document needs none",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\"}",
            then: Then::Sound,
        },
        Example {
            note: "another host's",
            site: SiteKind::Foreign,
            request: "GET /.well-known/openid-configuration",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://login.example.net/t\"}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    if !request.path().contains(endpoint::OPENID_CONFIGURATION) {
        return Outcome::Sound;
    }
    let Some(mut document) = super::own_server(site, reply) else { return Outcome::Sound };
    let required = [
        ("jwks_uri", json!(format!("{}{}", site.facts.public, endpoint::KEYS))),
        ("subject_types_supported", json!(["public"])),
        ("id_token_signing_alg_values_supported", json!(["RS256"])),
    ];
    let mut changed = false;
    for (name, value) in required {
        if !document.has(name) {
            document.set(name, value);
            changed = true;
        }
    }
    if !changed {
        return Outcome::Sound;
    }
    Outcome::mended("members that OpenID requires are missing", Edits::to_document(document))
}
