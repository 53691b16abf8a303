//! D-14, reliability 26: a confidential registration refused to a client that nobody knows.

use http::StatusCode;

use super::{is_refused, refusal_names};
use crate::endpoint::Class;
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "register.auth-method-refused",
    rows: &["D-14"],
    summary: "an unauthenticated registration is refused for its auth method",
    why: "Claude asks for `client_secret_post`, others for nothing, which means `client_secret_basic`. better-auth \
          gives secrets only to clients that somebody logged in for, and refuses instead of registering a public one.",
    hits: "claude.ai, Claude Desktop, every client that asks for a secret",
    remedy: "Asks once more with `none`, and answers truthfully: a public client with PKCE, no secret. Only when the \
             refusal is about that, the client sent no credentials, and the metadata do not speak against it.",
    advice: "Register an unauthenticated client as public: `token_endpoint_auth_method: none`.",
    basis: &[basis::REGISTRATION_REQUEST],
    default: Mode::Fix,
    on: &[Class::Register],
    hook: Hook::Reply {
        needs: Needs::Json,
        when: |request, reply| is_refused(request, reply) && !request.authorized,
        run,
    },
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

fn run(site: &Site<'_>, request: &Request, reply: &mut Reply) -> Outcome {
    let Some(asked) = request.json() else { return Outcome::Sound };
    let method = asked.text("token_endpoint_auth_method");
    // Stating nothing is asking for client_secret_basic (RFC 7591 section 2).
    let wants_secret = matches!(method.as_deref(), None | Some("client_secret_basic" | "client_secret_post"));
    if !wants_secret || site.known.contradicts_public_clients() || !refused_for_method(reply) {
        return Outcome::Sound;
    }
    let mut body = asked.clone();
    body.set("token_endpoint_auth_method", "none".into());
    Outcome::again("the auth method was refused; registering a public client instead", Ask::with_json(body))
}

/// A 401 refuses the stranger that asked for a secret; other refusals must name the method. One that is about
/// redirect URIs or scopes is not about the method, whatever its status.
fn refused_for_method(reply: &Reply) -> bool {
    let Some(refusal) = reply.json() else { return reply.status == StatusCode::UNAUTHORIZED };
    if refusal_names(refusal, &["redirect", "scope"]) {
        return false;
    }
    reply.status == StatusCode::UNAUTHORIZED
        || refusal_names(
            refusal,
            &[
                "token_endpoint_auth_method",
                "auth method",
                "auth_method",
                "authentication method",
                "client_secret",
                "confidential",
                "public client",
            ],
        )
}
