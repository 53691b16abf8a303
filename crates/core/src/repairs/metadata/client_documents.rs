//! C-13: client id metadata documents that are claimed and refused.

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::knowledge::is_true;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.client-documents",
    rows: &["C-13"],
    summary: "the metadata claim client id metadata documents, and such a client was refused",
    why: "Claude, VS Code and rmcp clients use the URL of their document for an id as soon as the server claims to know such ids; \
          they do not register then.",
    hits: "claude.ai, Claude Code, VS Code, rmcp clients",
    stops: who::HOSTED.and(who::CLAUDE_CODE).and(who::VSCODE).and(who::CODEX),
    remedy: "Sets `client_id_metadata_document_supported` to false once a client with such an id was refused at the authorization \
             endpoint, if clients can register instead.",
    advice: "Claim `client_id_metadata_document_supported` only if you fetch and check the documents.",
    basis: &[basis::CLIENT_DOCUMENTS],
    default: Mode::Fix,
    on: &[Class::ServerMetadata],
    gate: &[&[Feature::Ok], &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: |_, reply| super::may_be_document(reply), run },
    examples: &[
        Example {
            note: "seen to be refused",
            site: SiteKind::Taught,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"registration_endpoint\":\"https://mcp.example.com/register\",\"client_id_metadata_document_supported\":true}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"registration_endpoint\":\"https://mcp.example.com/register\",\"client_id_metadata_document_supported\":false}",
            ),
        },
        Example {
            note: "no other way to a client id",
            site: SiteKind::Taught,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"client_id_metadata_document_supported\":true}",
            then: Then::Sound,
        },
        Example {
            note: "not seen",
            site: SiteKind::Cohosted,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\n\n{\"issuer\":\"https://mcp.example.com\",\"registration_endpoint\":\"https://mcp.example.com/register\",\"client_id_metadata_document_supported\":true}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    if !site.known.refuses_documents {
        return Outcome::Sound;
    }
    let Some(mut document) = super::own_server(site, reply) else { return Outcome::Sound };
    let claimed = is_true(document.get("client_id_metadata_document_supported"));
    if !claimed || !document.has("registration_endpoint") {
        return Outcome::Sound;
    }
    document.set("client_id_metadata_document_supported", false.into());
    Outcome::mended("client id metadata documents are claimed and refused", Edits::to_document(document))
}
