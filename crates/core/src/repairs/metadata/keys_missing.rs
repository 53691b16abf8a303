//! C-08: the set of keys that a completed OpenID document names.

use http::StatusCode;
use serde_json::json;

use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.keys-missing",
    rows: &["C-08"],
    summary: "the set of keys that the completed OpenID document names is not there",
    why: "What a document names has to be served; a client that reads the keys would stop at a 404.",
    hits: "clients that check identity tokens; MCP asks for none",
    stops: who::NOBODY,
    remedy: "Answers with a set without keys, only if the upstream has a server of its own that names no keys.",
    advice: "Name your own `jwks_uri`.",
    basis: &[basis::OPENID_MEMBERS],
    default: Mode::Fix,
    on: &[Class::Keys],
    gate: &[&[Feature::Get, Feature::Head]],
    hook: Hook::Reply { needs: Needs::Json, when: super::tells, run },
    examples: &[
        Example {
            note: "named by us",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/jwks.json",
            reply: "404",
            then: Then::Becomes("200\nContent-Type: application/json\n\n{\"keys\":[]}"),
        },
        Example {
            note: "no server of its own",
            site: SiteKind::Open,
            request: "GET /.well-known/jwks.json",
            reply: "404",
            then: Then::Sound,
        },
        Example {
            note: "keys",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/jwks.json",
            reply: "200\nContent-Type: application/json\n\n{\"keys\":[]}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let named = site.known.server_document.as_ref().is_some_and(|document| document.has("jwks_uri"));
    if !site.has_own_authorization_server() || named || reply.cut_off || super::is_document(request, reply) {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.replace_with_json(reply, StatusCode::OK, Object::new([("keys", json!([]))]));
    Outcome::mended("no keys", edits)
}
