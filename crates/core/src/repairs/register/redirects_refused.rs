//! Reliability 25: the upstream refuses the larger set of callbacks, so it gets the client's own.

use serde_json::Value;

use super::{HOSTED_CALLBACKS, asked_for, is_refused, refusal};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::{CLIENT_ERROR, Feature};
use crate::exchange::{Ask, Outcome, Reply, Request, RequestBody, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "register.redirects-refused",
    rows: &["D-16"],
    summary: "the upstream refuses a registration with both hosted callbacks",
    why: "A server with an allowlist of one callback refuses the whole registration when the other is there as well.",
    hits: "claude.ai, Claude Desktop and mobile",
    stops: who::CLAUDE,
    remedy: "Sends the registration once more with the one callback on the client's own list that was there first.",
    advice: "Allow both callbacks of Claude's hosted clients.",
    basis: &[basis::HOSTED_CALLBACKS],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post], CLIENT_ERROR],
    hook: Hook::Reply { needs: Needs::Body, when: is_refused, run },
    examples: &[
        Example {
            note: "refused",
            site: SiteKind::Open,
            request: "POST /register\n\n{\"redirect_uris\":[\"https://claude.ai/api/mcp/auth_callback\",\
                      \"https://claude.com/api/mcp/auth_callback\"]}",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_redirect_uri\"}",
            then: Then::Asks("POST /register\n\n{\"redirect_uris\":[\"https://claude.ai/api/mcp/auth_callback\"]}"),
        },
        Example {
            note: "another is refused, by its place",
            site: SiteKind::Open,
            request: "POST /register\n\n{\"redirect_uris\":[\"cursor://cb\",\"https://claude.ai/api/mcp/auth_callback\",\
                      \"https://claude.com/api/mcp/auth_callback\"]}",
            reply: "400\nContent-Type: application/json\n\n{\"message\":\"redirect_uris.0 is not a valid URL\"}",
            then: Then::Sound,
        },
        Example {
            note: "refused for something else",
            site: SiteKind::Open,
            request: "POST /register\n\n{\"redirect_uris\":[\"https://claude.ai/api/mcp/auth_callback\",\
                      \"https://claude.com/api/mcp/auth_callback\"]}",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_client_metadata\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let (Some(words), Some(asked)) = (refusal::words(reply), request.json()) else { return Outcome::Sound };
    let Some(Value::Array(list)) = asked.get("redirect_uris") else { return Outcome::Sound };
    // A client that wants both itself is not served by one alone.
    if matches!(&request.sent, RequestBody::Json(sent) if sent.get("redirect_uris") == asked.get("redirect_uris")) {
        return Outcome::Sound;
    }
    // The one that `register.hosted-callback` added is the last.
    let Some((added, own)) = list.split_last() else { return Outcome::Sound };
    let is_hosted = |uri: &Value| uri.as_str().is_some_and(|uri| HOSTED_CALLBACKS.contains(&uri));
    if !is_hosted(added) || own.iter().filter(|uri| is_hosted(uri)).count() != 1 || !refusal::has(&words, &["redirect"])
    {
        return Outcome::Sound;
    }
    // A refusal that names others is about them (`register.redirect-uri-refused`).
    let named = refusal::named_uris(&words, &asked_for(request, "redirect_uris"));
    if !named.is_empty() && !named.contains(&own.len()) {
        return Outcome::Sound;
    }
    let mut body = asked.clone();
    body.set("redirect_uris", Value::Array(own.to_vec()));
    Outcome::again("both hosted callbacks are refused", Ask::with_json(body))
}
