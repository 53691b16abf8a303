//! F-43: the error page of a server or of what stands before it.

use http::StatusCode;

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::jsonrpc;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.error-page",
    rows: &["F-43"],
    summary: "a message is answered with an error page",
    why: "Clients show the markup of a 502 or 429 page as the reason.",
    hits: "everybody: a page of HTML instead of a message",
    stops: who::NOBODY,
    remedy: "Puts a JSON-RPC error with the id of the request in the place of the page. Status, Retry-After and \
             all other fields stay.",
    advice: "Answer errors of the MCP endpoint in JSON, also those of the load balancer.",
    basis: &[basis::JSONRPC_ANSWER],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Asks], &[Feature::OtherClientError, Feature::OtherServerError]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "too many requests",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "429\nContent-Type: text/html\nRetry-After: 5",
            then: Then::Becomes(
                "429\nContent-Type: application/json\nRetry-After: 5\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"The server answered 429 Too Many Requests\",\"data\":{\"status\":429}}}",
            ),
        },
        Example {
            note: "a gateway",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "502",
            then: Then::Becomes(
                "502\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"The server answered 502 Bad Gateway\",\"data\":{\"status\":502}}}",
            ),
        },
        Example {
            note: "in JSON",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "503\nContent-Type: application/json",
            then: Then::Sound,
        },
        Example {
            note: "a refusal",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "400\nContent-Type: text/plain",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    request.asks()
        // What a program answers to its own failure is mended otherwise; these are of what stands before it.
        && (reply.status == StatusCode::TOO_MANY_REQUESTS || reply.status.as_u16() > 500)
        && !reply.is_json()
        && !reply.cut_off
}

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let text = format!("The server answered {}", reply.status);
    let message = jsonrpc::error_of_status(request.message.as_ref(), reply.status.as_u16(), &text);
    let mut edits = Edits::new();
    edits.say(reply.status, Some(message));
    Outcome::mended("an error page", edits)
}
