//! B-03, B-05: resource metadata that name the upstream instead of the address that clients use.

use http::StatusCode;
use serde_json::json;

use crate::client::who;
use crate::endpoint::{self, Class};
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::knowledge::strings;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "identity.resource-metadata",
    rows: &["B-03", "B-05", "B-10"],
    summary: "the resource metadata name another address than the one that clients use",
    why: "Every client compares `resource` with the URL it was given and stops at a difference: an internal host, \
          http for https, a trailing slash. The authorization server's URL must be the issuer, to the byte.",
    hits: "every client",
    stops: who::EVERYBODY,
    remedy: "`resource` becomes the public URL of the endpoint; an authorization server on the upstream's own origin \
             becomes the public origin; other URLs of the upstream become public ones. An authorization server on \
             another host stays as it is. A signature over the old text goes.",
    advice: "Build the document from the public base URL: `resource` is exactly what users type into the client.",
    basis: &[basis::RESOURCE_IDENTICAL, basis::ISSUER],
    default: Mode::Fix,
    on: &[Class::ResourceMetadata],
    gate: &[&[Feature::Ok], &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: |_, reply| reply.status == StatusCode::OK && reply.is_json(), run },
    examples: &[
        Example {
            note: "the internal host",
            site: SiteKind::Pathed,
            request: "GET /.well-known/oauth-protected-resource/mcp",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"resource\": \"http://localhost:3000/mcp/\", \"x\": 1.0,\n\
                    \"authorization_servers\": [\"http://127.0.0.1:3000/auth\"], \"signed_metadata\": \"e30\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n\
                 {\"resource\": \"https://mcp.example.com/mcp\", \"x\": 1.0,\n\
                 \"authorization_servers\": [\"https://mcp.example.com\"]}",
            ),
        },
        Example {
            note: "another host's authorization server stays",
            site: SiteKind::Foreign,
            request: "GET /.well-known/oauth-protected-resource",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"resource\":\"http://localhost:3000\",\"authorization_servers\":[\"https://login.example.net/t\"]}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"resource\":\"https://mcp.example.com/mcp\",\
                 \"authorization_servers\":[\"https://login.example.net/t\"]}",
            ),
        },
        Example {
            note: "already public",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-protected-resource/mcp",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"resource\":\"https://mcp.example.com/mcp\",\"authorization_servers\":[\"https://mcp.example.com\"]}",
            then: Then::Sound,
        },
        Example {
            note: "no resource metadata at all",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-protected-resource",
            reply: "200\nContent-Type: application/json\n\n{\"ok\":true}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let ours = endpoint::resource_metadata_places(&site.facts.mcp_path).iter().any(|place| place == request.path());
    let Some(mut document) = reply.json().cloned() else { return Outcome::Sound };
    let Some(resource) = document.text("resource") else { return Outcome::Sound };
    let right = if ours { Some(site.resource()) } else { site.to_public(&resource) };
    let (mut changed, mut blameless) = (false, true);
    if let Some(right) = right.filter(|right| *right != resource) {
        document.set("resource", json!(right));
        (changed, blameless) = (true, false);
    }
    if let Some(servers) = strings(document.get("authorization_servers")) {
        let right = public_issuers(site, &servers);
        if right != servers {
            blameless &= servers.iter().all(|had| right.contains(had) || super::is_its_own_issuer(site, had));
            document.set("authorization_servers", json!(right));
            changed = true;
        }
    }
    if super::publish_members(site, &mut document, &["resource", "authorization_servers"]) {
        (changed, blameless) = (true, false);
    }
    if !changed {
        return Outcome::Sound;
    }
    document.remove("signed_metadata");
    let edits = Edits::to_document(document);
    Outcome::mended("the resource metadata name another address", edits).blameless_if(blameless)
}

/// The issuers with our own one in its only form, each once.
fn public_issuers(site: &Site<'_>, servers: &[String]) -> Vec<String> {
    let mut right: Vec<String> = Vec::with_capacity(servers.len());
    for server in servers {
        // Another host's issuer is listed as that host itself writes it, to the byte (RFC 8414 section 3.3).
        let owned = site.owns(server);
        let foreign = site.known.foreign.as_ref().filter(|foreign| foreign.listed == *server || owned);
        let server = match foreign {
            // The upstream lists itself and serves a copy of another host's document: that host is meant.
            Some(foreign) if !owned || !site.has_own_authorization_server() => foreign.issuer.clone(),
            _ if owned => site.issuer().to_owned(),
            _ => server.clone(),
        };
        if !right.contains(&server) {
            right.push(server);
        }
    }
    right
}
