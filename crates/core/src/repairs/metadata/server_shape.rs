//! C-05, C-06, C-07, C-13: authorization server metadata with members that parsers cannot read.

use serde_json::json;

use super::{is_document, shape};
use crate::client::who;
use crate::edit::json::Object;
use crate::edit::origin::Origin;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// Members of RFC 8414 section 2, OpenID Connect Discovery section 3 and their extensions, by type. The scopes are
/// `metadata.scopes`'s.
const LISTS: &[&str] = &[
    "response_types_supported",
    "response_modes_supported",
    "grant_types_supported",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "revocation_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_signing_alg_values_supported",
    "introspection_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    "code_challenge_methods_supported",
    "ui_locales_supported",
    "subject_types_supported",
    "acr_values_supported",
    "id_token_signing_alg_values_supported",
    "id_token_encryption_alg_values_supported",
    "id_token_encryption_enc_values_supported",
    "userinfo_signing_alg_values_supported",
    "userinfo_encryption_alg_values_supported",
    "userinfo_encryption_enc_values_supported",
    "request_object_signing_alg_values_supported",
    "request_object_encryption_alg_values_supported",
    "request_object_encryption_enc_values_supported",
    "display_values_supported",
    "claim_types_supported",
    "claims_supported",
    "claims_locales_supported",
    "dpop_signing_alg_values_supported",
    "authorization_details_types_supported",
    "prompt_values_supported",
];
const ADDRESSES: &[&str] = &[
    "authorization_endpoint",
    "token_endpoint",
    "registration_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "service_documentation",
    "op_policy_uri",
    "op_tos_uri",
    "end_session_endpoint",
    "device_authorization_endpoint",
    "pushed_authorization_request_endpoint",
    "check_session_iframe",
];
const FLAGS: &[&str] = &[
    "client_id_metadata_document_supported",
    "authorization_response_iss_parameter_supported",
    "claims_parameter_supported",
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "require_request_uri_registration",
    "require_pushed_authorization_requests",
    "tls_client_certificate_bound_access_tokens",
    "frontchannel_logout_supported",
    "frontchannel_logout_session_supported",
    "backchannel_logout_supported",
    "backchannel_logout_session_supported",
];
const OBJECTS: &[&str] = &["mtls_endpoint_aliases", "signed_metadata"];

pub static REPAIR: Repair = Repair {
    id: "metadata.server-shape",
    rows: &["C-05", "C-06", "C-07", "C-13"],
    summary: "the authorization server's metadata have nulls, strings for lists, relative addresses, or lack what is required",
    why: "The TypeScript SDK refuses the whole document at one null, at a relative address or without \
          `response_types_supported`; Python and Go at a string where a list belongs. An empty list of PKCE methods \
          reads as \"no PKCE\".",
    hits: "TypeScript and Python SDK clients, rmcp, Go SDK hosts",
    stops: who::STRICT.and(who::VSCODE),
    remedy: "Members without a value go (empty lists too), strings become lists, texts that mean a boolean one, relative \
             addresses absolute. `response_types_supported` and, for the server's own issuer, the two endpoints are \
             added when they are missing. Nothing is claimed about PKCE here.",
    advice: "Leave out what has no value (pydantic: exclude_none), and always send response_types_supported: [\"code\"].",
    basis: &[basis::SERVER_MEMBERS],
    default: Mode::Fix,
    on: &[Class::ServerMetadata],
    gate: &[&[Feature::Ok], &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: |_, reply| super::may_be_document(reply), run },
    examples: &[
        Example {
            note: "nulls, strings, relative",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\
                    \"authorization_endpoint\":\"/authorize\",\"token_endpoint\":\"https://mcp.example.com/token\",\
                    \"registration_endpoint\":\"\",\"grant_types_supported\":\"authorization_code refresh_token\",\
                    \"code_challenge_methods_supported\":[],\"service_documentation\":null,\"own\":null,\
                    \"client_id_metadata_document_supported\":\"true\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\
                 \"authorization_endpoint\":\"https://mcp.example.com/authorize\",\
                 \"token_endpoint\":\"https://mcp.example.com/token\",\
                 \"grant_types_supported\":[\"authorization_code\",\"refresh_token\"],\"own\":null,\
                 \"client_id_metadata_document_supported\":true,\"response_types_supported\":[\"code\"]}",
            ),
        },
        Example {
            note: "nothing but the issuer",
            site: SiteKind::Pathed,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\
                    \"response_types_supported\":null}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\
                 \"response_types_supported\":[\"code\"],\
                 \"authorization_endpoint\":\"https://mcp.example.com/auth/authorize\",\
                 \"token_endpoint\":\"https://mcp.example.com/auth/token\"}",
            ),
        },
        Example {
            note: "whole",
            site: SiteKind::Foreign,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://login.example.net/t\",\
                    \"authorization_endpoint\":\"https://login.example.net/a\",\
                    \"token_endpoint\":\"https://login.example.net/t\",\"response_types_supported\":[\"code\"]}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    if !is_document(request, reply) {
        return Outcome::Sound;
    }
    let Some(mut document) = reply.json().cloned() else { return Outcome::Sound };
    let issuer = document.text("issuer").and_then(|issuer| Origin::of(&issuer).ok());
    let own = site.has_own_authorization_server() && issuer.as_ref().is_none_or(|issuer| site.owns_origin(issuer));
    let origin = issuer.unwrap_or_else(|| site.facts.public.clone());
    let mut changed = LISTS.iter().fold(false, |any, name| shape::list(&mut document, name) | any);
    changed |= ADDRESSES.iter().fold(false, |any, name| shape::address(&mut document, name, origin.as_str()) | any);
    changed |= FLAGS.iter().fold(false, |any, name| shape::flag(&mut document, name) | any);
    changed |= OBJECTS.iter().fold(false, |any, name| shape::null(&mut document, name) | any);
    changed |= add_required(site, &mut document, own);
    if !changed {
        return Outcome::Sound;
    }
    Outcome::mended("members that parsers cannot read, or required ones missing", Edits::to_document(document))
}

/// What RFC 8414 section 2 requires: an MCP server's flow is the code flow, and the endpoints of our own issuer are
/// where they are known to be, or at the defaults of MCP 2025-03-26.
fn add_required(site: &Site<'_>, document: &mut Object, own: bool) -> bool {
    let mut changed = false;
    if !document.has("response_types_supported") {
        document.set("response_types_supported", json!(["code"]));
        changed = true;
    }
    if !own {
        return changed;
    }
    let endpoints = &site.known.endpoints;
    for (name, path) in
        [("authorization_endpoint", &endpoints.paths().authorize), ("token_endpoint", &endpoints.paths().token)]
    {
        if !document.has(name) {
            document.set(name, json!(format!("{}{path}", site.facts.public)));
            changed = true;
        }
    }
    changed
}
