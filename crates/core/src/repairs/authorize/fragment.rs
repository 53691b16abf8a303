//! E-18: the authorization response in the fragment, where the client does not look.

use http::header::LOCATION;

use super::{Cut, is_get, is_redirect, is_response, leads_back, location, set_location};
use crate::client::who;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "authorize.fragment",
    rows: &["E-18"],
    summary: "the redirect to the client carries the response in the fragment although nobody asked for that",
    why: "A browser keeps the fragment to itself. The client's callback is called without code and error, and the \
          client waits until it gives up.",
    hits: "every client",
    stops: who::EVERYBODY,
    remedy: "Where the answer to a request for a code leads back to its own redirect_uri, the response moves into the \
             query. A client that asks for `response_mode=fragment` or for a token gets what it asked for.",
    advice: "Answer `response_type=code` in the query.",
    basis: &[basis::RESPONSE_MODE, basis::AUTHORIZATION_RESPONSE],
    default: Mode::Fix,
    on: &[Class::Authorize],
    gate: &[&[Feature::Location]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "a code",
            site: SiteKind::Cohosted,
            request: "GET /authorize?response_type=code&redirect_uri=https%3A%2F%2Fc.example%2Fcb",
            reply: "302\nLocation: https://c.example/cb#code=a%2fb&state=x+y",
            then: Then::Becomes("302\nLocation: https://c.example/cb?code=a%2fb&state=x+y"),
        },
        Example {
            note: "an error, at a callback with a query",
            site: SiteKind::Cohosted,
            request: "GET /authorize?response_type=code&response_mode=query&redirect_uri=https%3A%2F%2Fc.example%2Fcb%3Fa",
            reply: "302\nLocation: https://c.example/cb?a#error=access_denied",
            then: Then::Becomes("302\nLocation: https://c.example/cb?a&error=access_denied"),
        },
        Example {
            note: "asked for",
            site: SiteKind::Cohosted,
            request: "GET /authorize?response_type=code&response_mode=fragment&redirect_uri=https%3A%2F%2Fc.example%2Fcb",
            reply: "302\nLocation: https://c.example/cb#code=a",
            then: Then::Sound,
        },
        Example {
            note: "a token may only be there",
            site: SiteKind::Cohosted,
            request: "GET /authorize?response_type=code+id_token&redirect_uri=https%3A%2F%2Fc.example%2Fcb",
            reply: "302\nLocation: https://c.example/cb#code=a&id_token=b",
            then: Then::Sound,
        },
        Example {
            note: "a fragment beside a response",
            site: SiteKind::Cohosted,
            request: "GET /authorize?response_type=code&redirect_uri=https%3A%2F%2Fc.example%2Fcb",
            reply: "302\nLocation: https://c.example/cb?code=a#code=b",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    is_get(request) && is_redirect(reply) && reply.headers.contains_key(LOCATION)
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let asked = request.query().unwrap_or_default();
    // A code alone comes in the query unless something else is asked for; whatever else comes is a secret that must
    // not get into anybody's log.
    let wants_query = params::only(asked, "response_type").is_some_and(|kind| kind == "code")
        && params::get(asked, "response_mode").is_none_or(|mode| mode == "query");
    let Some(location) = location(reply).filter(|location| wants_query && leads_back(site, request, location)) else {
        return Outcome::Sound;
    };
    let cut = Cut::of(location);
    let Some(response) = cut.fragment.filter(|fragment| is_response(fragment)) else { return Outcome::Sound };
    let holds_token = ["access_token", "id_token"].iter().any(|name| params::has(response, name));
    let query = match cut.query {
        _ if holds_token => return Outcome::Sound,
        Some(query) if is_response(query) => return Outcome::Sound,
        None | Some("") => response.to_owned(),
        Some(query) => format!("{query}&{response}"),
    };
    let Some(edits) = set_location(&format!("{}?{query}", cut.before)) else { return Outcome::Sound };
    Outcome::mended("the response is in the fragment", edits)
}
