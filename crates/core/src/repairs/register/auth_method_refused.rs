//! D-14: a registration refused for its auth method.

use http::StatusCode;

use super::auth_method::WITH_SECRET;
use super::{is_refused, is_refused_for_content, reduce, refusal};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::{CLIENT_ERROR, Feature};
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "register.auth-method-refused",
    rows: &["D-14"],
    summary: "a registration is refused for its auth method",
    why: "Claude asks for `client_secret_post`, others for nothing, which means `client_secret_basic`. better-auth \
          gives secrets only to clients that somebody logged in for, and refuses instead of registering a public one. \
          Other servers know no public clients.",
    hits: "claude.ai, Claude Desktop, every client that asks for a secret",
    stops: who::CLAUDE.and(who::VSCODE).and(who::TS1).and(who::TS2).and(who::PYTHON),
    remedy: "Asks once more with `none`, and answers truthfully: a public client with PKCE, no secret. Only when the \
             refusal is about that, the client sent no credentials, and the metadata do not speak against it. Where they \
             list no `none`: with a method that they do list, if the refusal names the method.",
    advice: "Register an unauthenticated client as public: `token_endpoint_auth_method: none`.",
    basis: &[basis::REGISTRATION_REQUEST],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post], CLIENT_ERROR],
    hook: Hook::Reply { needs: Needs::Body, when: is_refused, run },
    examples: &[
        Example {
            note: "the known issue page's better-auth",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"client_name\":\"x\",\"token_endpoint_auth_method\":\"client_secret_post\"}",
            reply: "401\nContent-Type: application/json\n\n{\"error\":\"invalid_request\"}",
            then: Then::Asks("POST /register\n\n{\"client_name\":\"x\",\"token_endpoint_auth_method\":\"none\"}"),
        },
        Example {
            note: "nothing asked for, refused by name",
            site: SiteKind::Open,
            request: "POST /register\n\n{\"client_name\":\"x\"}",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_client_metadata\",\"error_description\":\"unsupported Token_Endpoint_Auth_Method\"}",
            then: Then::Asks("POST /register\n\n{\"client_name\":\"x\",\"token_endpoint_auth_method\":\"none\"}"),
        },
        Example {
            note: "the other way: no public clients",
            site: SiteKind::Confidential,
            request: "POST /register\n\n{\"token_endpoint_auth_method\":\"none\"}",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_client_metadata\",\"error_description\":\"token_endpoint_auth_method: none\"}",
            then: Then::Asks("POST /register\n\n{\"token_endpoint_auth_method\":\"client_secret_basic\"}"),
        },
        Example {
            note: "refused for another reason",
            site: SiteKind::Open,
            request: "POST /register\n\n{\"token_endpoint_auth_method\":\"client_secret_post\"}",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_redirect_uri\"}",
            then: Then::Sound,
        },
        Example {
            note: "registration wants an initial access token",
            site: SiteKind::Open,
            request: "POST /register\n\n{\"token_endpoint_auth_method\":\"none\"}",
            reply: "401\nContent-Type: application/json\n\n{\"error\":\"invalid_token\"}",
            then: Then::Sound,
        },
        Example {
            note: "metadata without public clients",
            site: SiteKind::Confidential,
            request: "POST /register\n\n{\"token_endpoint_auth_method\":\"client_secret_post\"}",
            reply: "401\nContent-Type: application/json\n\n{\"error\":\"invalid_request\"}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let Some(asked) = request.json() else { return Outcome::Sound };
    // Stating nothing is asking for client_secret_basic (RFC 7591 section 2).
    let method = asked.text("token_endpoint_auth_method").unwrap_or_else(|| WITH_SECRET[0].to_owned());
    let words = refusal::words(reply);
    let (instead, what) = if refuses_method(reply, words.as_deref())
        && WITH_SECRET.contains(&method.as_str())
        && !request.authorized
        && !site.known.contradicts_public_clients()
    {
        ("none", "the auth method was refused; registering a public client instead")
    } else if let Some(listed) = listed_instead(site, &method)
        && is_refused_for_content(request, reply)
        && words.as_deref().is_some_and(names_method)
    {
        (listed, "the auth method was refused; registering with one that the metadata list")
    } else {
        return Outcome::Sound;
    };
    let mut body = asked.clone();
    body.set("token_endpoint_auth_method", instead.into());
    reduce::ease(&mut body, words.as_deref().unwrap_or_default());
    Outcome::again(what, Ask::with_json(body))
}

/// Another method with a secret, where the metadata list such and no public clients.
fn listed_instead<'a>(site: &Site<'a>, method: &str) -> Option<&'a str> {
    let listed = site.known.auth_methods.as_deref()?;
    if listed.iter().any(|have| have == "none" || have == method) {
        return None;
    }
    listed.iter().map(String::as_str).find(|have| WITH_SECRET.contains(have))
}

/// A 401 refuses the stranger that asked for a secret; other refusals must name the method. One that is about
/// redirect URIs or scopes is not about the method, whatever its status.
fn refuses_method(reply: &Reply, words: Option<&str>) -> bool {
    match (reply.json(), words) {
        (None, _) if reply.status == StatusCode::UNAUTHORIZED => true,
        (_, Some(words)) if reply.status == StatusCode::UNAUTHORIZED => !refusal::has(words, &["redirect", "scope"]),
        (_, Some(words)) => reply.status.is_client_error() && names_method(words),
        (_, None) => false,
    }
}

fn names_method(words: &str) -> bool {
    !refusal::has(words, &["redirect", "scope"])
        && refusal::has(
            words,
            &[
                "token_endpoint_auth_method",
                "tokenendpointauthmethod",
                "auth method",
                "auth_method",
                "authentication method",
                "client_secret",
                "confidential",
                "public client",
            ],
        )
}
