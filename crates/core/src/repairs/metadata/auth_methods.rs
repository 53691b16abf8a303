//! C-09: no list of client authentication methods at a server that checks PKCE.

use serde_json::json;

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::knowledge::strings;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.auth-methods",
    rows: &["C-09"],
    summary: "the metadata do not say how clients authenticate",
    why: "Without the list `client_secret_basic` alone is meant (RFC 8414 section 2). Clients without a secret, and those with a \
          metadata document for an id, look for `none`.",
    hits: "claude.ai and ChatGPT with a client id metadata document, every public client",
    stops: who::HOSTED,
    remedy: "Adds `none`, `client_secret_post` and `client_secret_basic` when there is no list and the server names S256; the proxy \
             converts between the last two. A list that is there is never changed.",
    advice: "List `token_endpoint_auth_methods_supported`, with `none` for public clients.",
    basis: &[basis::SERVER_MEMBERS],
    default: Mode::Fix,
    on: &[Class::ServerMetadata],
    gate: &[&[Feature::Ok], &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: |_, reply| super::may_be_document(reply), run },
    examples: &[
        Example {
            note: "no list",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"code_challenge_methods_supported\":[\"S256\"]}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"code_challenge_methods_supported\":[\"S256\"],\"token_endpoint_auth_methods_supported\":[\"none\",\"client_secret_post\",\"client_secret_basic\"]}",
            ),
        },
        Example {
            note: "no PKCE, no public clients",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\"}",
            then: Then::Sound,
        },
        Example {
            note: "a list",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"code_challenge_methods_supported\":[\"S256\"],\"token_endpoint_auth_methods_supported\":[\"client_secret_basic\"]}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let Some(mut document) = super::own_server(site, reply) else { return Outcome::Sound };
    let methods = strings(document.get("code_challenge_methods_supported")).unwrap_or_default();
    let has_pkce = methods.iter().any(|method| method == "S256");
    if !has_pkce || document.has("token_endpoint_auth_methods_supported") {
        return Outcome::Sound;
    }
    let all = json!(["none", "client_secret_post", "client_secret_basic"]);
    document.set("token_endpoint_auth_methods_supported", all);
    Outcome::mended("no client authentication methods", Edits::to_document(document))
}
