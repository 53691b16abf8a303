//! C-19 and the known issue page: metadata that do not name the scopes the operator states.

use serde_json::{Value, json};

use super::may_be_document;
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::knowledge::strings;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.scopes",
    rows: &["C-19"],
    summary: "`scopes_supported` is not a list, or lacks scopes that the operator states",
    why: "Clients ask for the scopes that the metadata list. What is not listed is never asked for, and a null or a \
          string makes the TypeScript SDK refuse the document.",
    hits: "TypeScript SDK clients; every client at servers that check scopes",
    stops: who::STRICT.and(who::GEMINI).and(who::VSCODE),
    remedy: "Sets the resource's scopes to the stated ones; adds them to the authorization server's. Without stated \
             scopes a string becomes a list and a null goes.",
    advice: "List the scopes that a client may ask for, as an array of strings.",
    basis: &[basis::SCOPES],
    default: Mode::Fix,
    on: &[Class::ResourceMetadata, Class::ServerMetadata],
    gate: &[&[Feature::Ok], &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: |_, reply| may_be_document(reply), run },
    examples: &[
        Example {
            note: "the resource names what is stated",
            site: SiteKind::Scoped,
            request: "GET /.well-known/oauth-protected-resource",
            reply: "200\nContent-Type: application/json\n\n{\"resource\":\"https://mcp.example.com/mcp\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n\
                 {\"resource\":\"https://mcp.example.com/mcp\",\"scopes_supported\":[\"mcp:read\",\"mcp:write\"]}",
            ),
        },
        Example {
            note: "the authorization server keeps its own",
            site: SiteKind::Scoped,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"issuer\":\"https://mcp.example.com\",\"scopes_supported\":[\"offline_access\",\"mcp:read\"]}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\
                 \"scopes_supported\":[\"offline_access\",\"mcp:read\",\"mcp:write\"]}",
            ),
        },
        Example {
            note: "a string, nothing stated",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"issuer\":\"https://mcp.example.com\",\"scopes_supported\":\"a b\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n\
                 {\"issuer\":\"https://mcp.example.com\",\"scopes_supported\":[\"a\",\"b\"]}",
            ),
        },
        Example {
            note: "a list",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"issuer\":\"https://mcp.example.com\",\"scopes_supported\":[\"a\"]}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let stated = &site.facts.scopes;
    let Some(mut document) = reply.json().cloned() else { return Outcome::Sound };
    // Anything without its required member is not the document that its place promises.
    let required = if request.class == Class::ResourceMetadata { "resource" } else { "issuer" };
    if !document.has(required) {
        return Outcome::Sound;
    }
    let have = document.get("scopes_supported");
    let listed = match &have {
        Some(Value::String(text)) => Some(text.split_whitespace().map(str::to_owned).collect()),
        other => strings(other.clone()),
    };
    let right = match (listed, stated.is_empty()) {
        (listed, true) => listed,
        (_, false) if request.class == Class::ResourceMetadata => Some(stated.clone()),
        (listed, false) => {
            let mut all = listed.unwrap_or_default();
            all.extend(stated.iter().filter(|scope| !all.contains(scope)).cloned().collect::<Vec<_>>());
            Some(all)
        }
    };
    let right = right.filter(|list| !list.is_empty()).map(|list| json!(list));
    if right == have {
        return Outcome::Sound;
    }
    match right {
        Some(list) => document.set("scopes_supported", list),
        None => document.remove("scopes_supported"),
    }
    Outcome::mended("scopes_supported is wrong or lacks stated scopes", Edits::to_document(document))
}
