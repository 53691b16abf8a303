//! C-04, C-16: authorization server metadata that name the upstream instead of the address that clients use.

use http::StatusCode;
use serde_json::json;

use crate::client::who;
use crate::documents;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "identity.server-metadata",
    rows: &["C-04", "C-16"],
    summary: "the authorization server's metadata name another address than the one that clients use",
    why: "Clients refuse an `issuer` that is not the URL they asked, to the byte, and cannot reach endpoints on an \
          internal host or with http behind a TLS terminator.",
    hits: "TypeScript SDK v2, Python SDK, rmcp, Go SDK, VS Code, Claude Code",
    stops: who::EVERYBODY,
    remedy: "`issuer` becomes the public origin without path and slash, the same string as in the resource metadata; \
             every URL on the upstream's own origin becomes the public one. Another host's issuer stays.",
    advice: "Build issuer and endpoints from the public base URL; behind a proxy, from configuration.",
    basis: &[basis::ISSUER],
    default: Mode::Fix,
    on: &[Class::ServerMetadata],
    gate: &[&[Feature::Ok], &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: |_, reply| reply.status == StatusCode::OK && reply.is_json(), run },
    examples: &[
        Example {
            note: "the internal host, a slash",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"issuer\":\"http://localhost:3000/\",\"token_endpoint\":\"http://localhost:3000/token\",\
                    \"mtls_endpoint_aliases\":{\"token_endpoint\":\"http://localhost:3000/mtls\"},\
                    \"jwks_uri\":\"https://keys.example.net/jwks\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n\
                 {\"issuer\":\"https://mcp.example.com\",\"token_endpoint\":\"https://mcp.example.com/token\",\
                 \"mtls_endpoint_aliases\":{\"token_endpoint\":\"https://mcp.example.com/mtls\"},\
                 \"jwks_uri\":\"https://keys.example.net/jwks\"}",
            ),
        },
        Example {
            note: "another host's issuer",
            site: SiteKind::Foreign,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"issuer\":\"https://login.example.net/t\",\"token_endpoint\":\"https://login.example.net/token\"}",
            then: Then::Sound,
        },
        Example {
            note: "already public",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/openid-configuration",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\"}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let Some(mut document) = reply.json().filter(|document| documents::is_server_metadata(document)).cloned() else {
        return Outcome::Sound;
    };
    let issuer = document.text("issuer").filter(|issuer| !issuer.is_empty());
    // A document without an issuer speaks for the server that it came from.
    let own = issuer.as_deref().map_or(site.has_own_authorization_server(), |issuer| site.owns(issuer));
    let mut changed = false;
    if own && issuer.as_deref() != Some(site.issuer()) {
        document.set("issuer", json!(site.issuer()));
        changed = true;
    }
    let names_another = super::publish_members(site, &mut document, &["issuer"]);
    if !changed && !names_another {
        return Outcome::Sound;
    }
    document.remove("signed_metadata");
    let is_right = issuer.is_some_and(|issuer| super::is_its_own_issuer(site, &issuer));
    let edits = Edits::to_document(document);
    Outcome::mended("the server metadata name another address", edits).blameless_if(is_right && !names_another)
}
