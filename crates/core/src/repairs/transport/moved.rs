//! F-01: messages to a place that redirects them, asked where they end at once.

use http::uri::PathAndQuery;

use crate::client::who;
use crate::endpoint::Class;
use crate::evidence::message::are_twins;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.moved",
    rows: &["F-01", "G-04"],
    summary: "messages are redirected, as was seen lately",
    why: "A redirect in front of every message doubles its time, and hosted clients lose their token on the way.",
    hits: "claude.ai (drops Authorization), VS Code and everything that turns POST into GET",
    stops: who::EVERYBODY,
    remedy: "Sends messages to the same path with or without the slash for limits.learned_seconds after the proxy's own ping was \
             redirected there; then it is seen anew. Only messages without credentials, which the upstream receives as it \
             received the ping, and messages that are too long to be sent a second time: the redirect of any other is followed \
             for it alone (transport.redirected). Another replica sees it by itself.",
    advice: "Serve the endpoint with and without the slash.",
    basis: &[basis::MCP_REDIRECT],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Moved]],
    hook: Hook::Request { needs: Needs::Head, when, run, goes_on: true },
    examples: &[
        Example {
            note: "seen before",
            site: SiteKind::Open,
            request: "POST /mcp\nX-Moved: /mcp/\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Becomes("POST /mcp/\nX-Moved: /mcp/\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"),
        },
        Example {
            note: "with a token: it may be redirected, or not",
            site: SiteKind::Open,
            request: "POST /mcp\nAuthorization: Bearer a\nX-Moved: /mcp/\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "with a token, and too long to be sent twice",
            site: SiteKind::Open,
            request: "POST /mcp\nAuthorization: Bearer a\nX-Moved: /mcp/",
            reply: "",
            then: Then::Becomes("POST /mcp/\nAuthorization: Bearer a\nX-Moved: /mcp/"),
        },
        Example {
            note: "there already",
            site: SiteKind::Open,
            request: "POST /mcp/\nX-Moved: /mcp/\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "another spelling of the path",
            site: SiteKind::Open,
            request: "POST /MCP\nX-Moved: /mcp/\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "a query of its own",
            site: SiteKind::Open,
            request: "POST /mcp?a=1\nX-Moved: /mcp/\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request) -> bool {
    let has_moved = request.moved.as_deref().is_some_and(|to| are_twins(request.target.as_str(), to));
    has_moved && (request.is_anonymous() || !request.is_repeatable())
}

fn run(_: &Site<'_>, request: &Request) -> Outcome {
    let Some(Ok(target)) = request.moved.as_deref().map(PathAndQuery::try_from) else { return Outcome::Sound };
    let mut edits = Edits::new();
    edits.target(target);
    // What is wrong is said by transport.redirected.
    Outcome::mended("messages are redirected; asking there at once", edits).blameless_if(true)
}
