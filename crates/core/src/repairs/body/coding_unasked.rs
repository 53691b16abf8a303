//! H-08: a body in a content coding that the client did not ask for.

use http::Method;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "body.coding-unasked",
    rows: &["H-08"],
    summary: "an answer is compressed although the client cannot read that",
    why: "Claude Code asks for identity, others for nothing at all. They take the compressed bytes for the text and see \
          rubbish instead of JSON; events of a compressed stream come late or never.",
    hits: "Claude Code, Python SDK, every client that asks for identity",
    stops: who::CLAUDE_CODE.and(who::PYTHON),
    remedy: "Undoes gzip, deflate and br piece by piece, up to a hundredfold. Other codings, and bodies that grow \
             beyond that, pass as they are.",
    advice: "Compress only what `Accept-Encoding` asks for, and never event streams.",
    basis: &[basis::ACCEPT_ENCODING],
    default: Mode::Fix,
    on: &Class::ALL,
    gate: &[&[Feature::Coded]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "identity was asked for",
            site: SiteKind::Open,
            request: "GET /api\nAccept-Encoding: identity",
            reply: "200\nContent-Encoding: gzip\nContent-Length: 99",
            then: Then::Becomes("200\nX-Decoded: yes"),
        },
        Example {
            note: "a document, and nothing was asked for",
            site: SiteKind::Open,
            request: "GET /.well-known/oauth-authorization-server",
            reply: "200\nContent-Type: application/json\nContent-Encoding: br",
            then: Then::Becomes("200\nContent-Type: application/json\nX-Decoded: yes"),
        },
        Example {
            note: "asked for",
            site: SiteKind::Open,
            request: "POST /mcp\nAccept-Encoding: gzip, br;q=0",
            reply: "200\nContent-Encoding: gzip",
            then: Then::Sound,
        },
        Example {
            note: "not known",
            site: SiteKind::Open,
            request: "POST /mcp\nAccept-Encoding: identity",
            reply: "200\nContent-Encoding: zstd",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    let Some(coding) = reply.coding else { return false };
    if reply.decode || request.method == Method::HEAD {
        return false;
    }
    match &request.accept_encoding {
        Some(accepted) => !coding.is_accepted(accepted),
        // Who asks for nothing takes anything (RFC 9110 section 12.5.3), but no MCP client does.
        None => request.class != Class::Other,
    }
}

fn run(_: &Site<'_>, _: &Request, _: &Reply) -> Outcome {
    let mut edits = Edits::new();
    edits.decode();
    edits.remove(CONTENT_ENCODING);
    edits.remove(CONTENT_LENGTH);
    Outcome::mended("a content coding that the client did not ask for", edits)
}
