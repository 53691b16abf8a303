//! E-20: the upstream refuses a parameter that it should have ignored.

use super::ask_with;
use super::refusal::{Refusal, is_refused};
use crate::client::who;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// Without these it would be another request (RFC 6749 section 4.1.1, RFC 7636 section 4.3), or one that other repairs
/// are for.
const NEEDED: [&str; 8] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "code_challenge",
    "code_challenge_method",
    "scope",
    "resource",
];

/// What a client demands with these, it must not get less of: a signed or pushed request (RFC 9101, RFC 9126), a code
/// bound to a key (RFC 9449), a narrower grant (RFC 9396), a stronger or a certain user's login (OpenID Connect Core
/// section 3.1.2.1), or a login at a certain organization or for a certain API.
const DEMANDS: [&str; 15] = [
    "request",
    "request_uri",
    "dpop_jkt",
    "authorization_details",
    "acr_values",
    "max_age",
    "claims",
    "id_token_hint",
    "login_hint",
    "domain_hint",
    "organization",
    "tenant",
    "audience",
    "connection",
    "hd",
];

pub static REPAIR: Repair = Repair {
    id: "authorize.parameter-refused",
    rows: &["E-20"],
    summary: "an authorization request is refused for an optional parameter",
    why: "A server must ignore parameters that it does not know. One that validates strictly answers `prompt`, \
          `nonce` or `access_type` with invalid_request, and the user sees an error in place of the login.",
    hits: "TypeScript SDK clients (`prompt=consent`), and whoever sends OpenID Connect parameters",
    stops: who::TYPESCRIPT_OAUTH,
    remedy: "Asks once more without the parameters that the refusal names. Never without one that the request or its \
             security consists of.",
    advice: "Ignore unrecognized parameters (RFC 6749 section 3.1).",
    basis: &[basis::AUTHORIZATION_REQUEST],
    default: Mode::Fix,
    on: &[Class::Authorize],
    gate: &[],
    hook: Hook::Reply { needs: Needs::Body, when: is_refused, run },
    examples: &[
        Example {
            note: "prompt",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a&prompt=consent&state=a%2fb",
            reply: "302\nLocation: https://c.example/cb?error=invalid_request\
                    &error_description=Invalid+parameter:+prompt&state=a%2fb",
            then: Then::Asks("GET /authorize?client_id=a&state=a%2fb"),
        },
        Example {
            note: "two of them, in JSON",
            site: SiteKind::Cohosted,
            request: "GET /authorize?nonce=n&client_id=a&access_type=offline",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_request\",\
                    \"error_description\":\"Unrecognized keys: 'nonce', 'access_type'\"}",
            then: Then::Asks("GET /authorize?client_id=a"),
        },
        Example {
            note: "one that is needed",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a&code_challenge=c",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_request\",\"error_description\":\"code_challenge is too short, client_id unknown\"}",
            then: Then::Sound,
        },
        Example {
            note: "one that demands more than a login",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a&dpop_jkt=k",
            reply: "302\nLocation: https://c.example/cb?error=invalid_request&error_description=unknown+dpop_jkt",
            then: Then::Sound,
        },
        Example {
            note: "a prompt that demands a login",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a&prompt=login",
            reply: "302\nLocation: https://c.example/cb?error=invalid_request&error_description=unknown+prompt",
            then: Then::Sound,
        },
        Example {
            note: "a certain organization, and a certain user",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a&organization=o&tenant=t&audience=a&connection=c&hd=h&login_hint=l&domain_hint=d",
            reply: "302\nLocation: https://c.example/cb?error=invalid_request&error_description=\
                    organization+tenant+audience+connection+hd+login_hint+domain_hint",
            then: Then::Sound,
        },
        Example {
            note: "the usual response_mode says nothing, another one does",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a&response_mode=query",
            reply: "302\nLocation: https://c.example/cb?error=invalid_request&error_description=response_mode",
            then: Then::Asks("GET /authorize?client_id=a"),
        },
        Example {
            note: "where the client waits",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a&response_mode=form_post",
            reply: "302\nLocation: https://c.example/cb?error=invalid_request&error_description=response_mode",
            then: Then::Sound,
        },
        Example {
            note: "one that was not sent",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a",
            reply: "302\nLocation: https://c.example/cb?error=invalid_request&error_description=nonce+is+required",
            then: Then::Sound,
        },
        Example {
            note: "refused for another reason",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a&prompt=none",
            reply: "302\nLocation: https://c.example/cb?error=login_required&error_description=prompt+is+none",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let Some(query) = request.query() else { return Outcome::Sound };
    let Some(refusal) = Refusal::of(reply).filter(|refusal| refusal.is("invalid_request")) else {
        return Outcome::Sound;
    };
    let is_refused = |name: &str| may_go(query, name) && refusal.names(&name.to_ascii_lowercase());
    let mut fewer = query.to_owned();
    for name in params::names(query).filter(|name| is_refused(name)) {
        if let Some(rest) = params::without(&fewer, &name) {
            fewer = rest;
        }
    }
    if fewer == query {
        return Outcome::Sound;
    }
    Outcome::again("an optional parameter is refused; asking without it", ask_with(request, &fewer))
}

/// Whether a parameter may be left out, and its name can be told from a word of a sentence.
fn may_go(query: &str, name: &str) -> bool {
    // Any other mode than the usual one is where the client waits for the response, and nowhere else.
    // To be asked for consent is what every first login does; other prompts demand a login, or none.
    let is_only = |value: &str| params::only(query, name).is_some_and(|have| have == value);
    let is_usual = match name {
        "response_mode" => is_only("query"),
        "prompt" => is_only("consent"),
        _ => true,
    };
    let is_name = name.len() > 3 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    is_usual && is_name && !NEEDED.contains(&name) && !DEMANDS.contains(&name)
}
