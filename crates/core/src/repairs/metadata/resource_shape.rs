//! B-04, B-06: resource metadata with members that parsers cannot read, or without an authorization server.

use serde_json::{Value, json};

use super::{is_document, is_our_resource, shape};
use crate::client::who;
use crate::documents;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// Members of RFC 9728 section 2 by their type. The scopes are `metadata.scopes`'s.
const LISTS: &[&str] = &[
    "bearer_methods_supported",
    "resource_signing_alg_values_supported",
    "authorization_details_types_supported",
    "dpop_signing_alg_values_supported",
];
const ADDRESSES: &[&str] = &["jwks_uri", "resource_documentation", "resource_policy_uri", "resource_tos_uri"];
const FLAGS: &[&str] = &["tls_client_certificate_bound_access_tokens", "dpop_bound_access_tokens_required"];
const TEXTS: &[&str] = &["resource_name", "signed_metadata"];

pub static REPAIR: Repair = Repair {
    id: "metadata.resource-shape",
    rows: &["B-04", "B-06", "B-03"],
    summary: "the resource metadata have nulls, strings for lists, or no list of authorization servers",
    why: "The TypeScript SDK throws the document away at a null or a relative URL, the Python SDK and rmcp at a missing \
          or empty `authorization_servers`, and a metadata URL in place of an issuer leads everybody to nowhere.",
    hits: "TypeScript SDK, Python SDK, rmcp clients, Go SDK hosts",
    stops: who::STRICT.and(who::GEMINI).and(who::VSCODE),
    remedy: "Nulls and empty members go, strings become lists, relative addresses absolute. Authorization servers become \
             a list of issuers; a missing list names the server that is known. `resource` is added if it is missing.",
    advice: "Leave out what has no value; list issuers, not the URLs of their metadata.",
    basis: &[basis::RESOURCE_MEMBERS, basis::RESOURCE_MUST],
    default: Mode::Fix,
    on: &[Class::ResourceMetadata],
    gate: &[&[Feature::Ok], &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: |_, reply| super::may_be_document(reply), run },
    examples: &[
        Example {
            note: "nulls, strings for lists, a relative and an empty address",
            site: SiteKind::Foreign,
            request: "GET /.well-known/oauth-protected-resource/mcp",
            reply: "200\nContent-Type: application/json\n\n{\"resource\":\"https://mcp.example.com/mcp\",\
                    \"authorization_servers\":\"https://login.example.net/t\",\"resource_name\":null,\
                    \"bearer_methods_supported\":\"header\",\"jwks_uri\":\"\",\"resource_documentation\":\"/docs\",\
                    \"x\":null,\"dpop_bound_access_tokens_required\":\"true\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"resource\":\"https://mcp.example.com/mcp\",\
                 \"authorization_servers\":[\"https://login.example.net/t\"],\
                 \"bearer_methods_supported\":[\"header\"],\"resource_documentation\":\"https://mcp.example.com/docs\",\
                 \"x\":null,\"dpop_bound_access_tokens_required\":true}",
            ),
        },
        Example {
            note: "metadata URLs for issuers, the singular member",
            site: SiteKind::Foreign,
            request: "GET /.well-known/oauth-protected-resource/mcp",
            reply: "200\nContent-Type: application/json\n\n{\"resource\":\"https://mcp.example.com/mcp\",\
                    \"authorization_server\":\"https://login.example.net/.well-known/oauth-authorization-server/t\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"resource\":\"https://mcp.example.com/mcp\",\
                 \"authorization_server\":\"https://login.example.net/.well-known/oauth-authorization-server/t\",\
                 \"authorization_servers\":[\"https://login.example.net/t\"]}",
            ),
        },
        Example {
            note: "an empty list, and a server of its own",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-protected-resource/mcp",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"resource\":\"https://mcp.example.com/mcp\",\"authorization_servers\":[]}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"resource\":\"https://mcp.example.com/mcp\",\
                 \"authorization_servers\":[\"https://mcp.example.com\"]}",
            ),
        },
        Example {
            note: "no resource",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-protected-resource/mcp",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"resource\":null,\"authorization_servers\":[\"https://mcp.example.com\"]}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"resource\":\"https://mcp.example.com/mcp\",\
                 \"authorization_servers\":[\"https://mcp.example.com\"]}",
            ),
        },
        Example {
            note: "whole",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-protected-resource/mcp",
            reply: "200\nContent-Type: application/json\n\n{\"resource\":\"https://mcp.example.com/mcp\",\
                    \"authorization_servers\":[\"https://mcp.example.com\"],\"bearer_methods_supported\":[\"header\"]}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    if !is_document(request, reply) {
        return Outcome::Sound;
    }
    let ours = is_our_resource(site, request);
    let Some(mut document) = reply.json().cloned() else { return Outcome::Sound };
    let origin = site.facts.public.as_str();
    let mut changed = servers(site, &mut document, ours);
    changed |= LISTS.iter().fold(false, |any, name| shape::list(&mut document, name) | any);
    changed |= ADDRESSES.iter().fold(false, |any, name| shape::address(&mut document, name, origin) | any);
    changed |= FLAGS.iter().fold(false, |any, name| shape::flag(&mut document, name) | any);
    changed |= TEXTS.iter().fold(false, |any, name| shape::text(&mut document, name) | any);
    if ours && document.text("resource").is_none_or(|resource| resource.is_empty()) {
        document.set("resource", json!(site.resource()));
        changed = true;
    }
    if !changed {
        return Outcome::Sound;
    }
    Outcome::mended("members that parsers cannot read", Edits::to_document(document))
}

/// The list of authorization servers as issuers; where there is none, the one that is known.
fn servers(site: &Site<'_>, document: &mut Object, ours: bool) -> bool {
    let mut right = documents::authorization_servers(document);
    if right.is_empty() && ours {
        let foreign = site.known.foreign.as_ref().map(|foreign| foreign.issuer.clone());
        let known = if site.has_own_authorization_server() { Some(site.issuer().to_owned()) } else { foreign };
        right.extend(known);
    }
    let have = document.get("authorization_servers");
    let is_right = match &have {
        Some(Value::Array(list)) => list.len() == right.len() && list.iter().zip(&right).all(|(a, b)| a == b),
        Some(_) => false,
        None => right.is_empty(),
    };
    if is_right && !right.is_empty() || right.is_empty() && have.is_none() {
        return false;
    }
    if right.is_empty() {
        document.remove("authorization_servers");
    } else {
        document.set("authorization_servers", json!(right));
    }
    true
}
