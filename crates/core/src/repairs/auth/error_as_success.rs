//! 200 with a JSON-RPC error where a token is missing.

use http::{Method, StatusCode};

use super::{Lack, may_be_refused, refuse, said, words};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// No refusal is longer.
const LONGEST: u64 = 4096;

pub static REPAIR: Repair = Repair {
    id: "auth.error-as-success",
    rows: &["A-09"],
    summary: "a message without a token is answered 200, with an error in the body that says so",
    why: "The client takes the server for connected. It never logs in, and every call fails.",
    hits: "every client: \"connected, no tools\"",
    stops: who::EVERYBODY,
    remedy: "Makes a small JSON answer 401 with a challenge, where clients log in, no token was sent, and its `error` \
             says that a login is missing: at this server, and not for its work. Not where strangers are let in, and never an \
             answer with a `result`.",
    advice: "Check the token before the message is looked at, and answer 401.",
    basis: &[basis::TOKEN_HANDLING, basis::BEARER_ERRORS],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::WithoutToken], &[Feature::Ok], &[Feature::ErrorInside]],
    hook: Hook::Reply { needs: Needs::Json, when, run },
    examples: &[
        Example {
            note: "a JSON-RPC error",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\
                    \"error\":{\"code\":-32001,\"message\":\"Unauthorized\"}}",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"unauthorized\",\"error_description\":\"Authentication required\"}",
            ),
        },
        Example {
            note: "an OAuth error",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "200\nContent-Type: application/json\n\n{\"error\":\"unauthorized\"}",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"unauthorized\",\"error_description\":\"Authentication required\"}",
            ),
        },
        Example {
            note: "another error",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\
                    \"error\":{\"code\":-32601,\"message\":\"Method not found\"}}",
            then: Then::Sound,
        },
        Example {
            note: "a result, whatever it says",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\
                    \"result\":{\"isError\":true,\"content\":[]},\"error\":\"unauthorized\"}",
            then: Then::Sound,
        },
        Example {
            note: "with a token it is the tool's business",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\
                    \"error\":{\"code\":-32001,\"message\":\"Unauthorized\"}}",
            then: Then::Sound,
        },
        Example {
            note: "a parameter is missing",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"Invalid params: token is required\"}}",
            then: Then::Sound,
        },
        Example {
            note: "somebody else's refusal",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"GitHub API answered 401 Unauthorized\"}}",
            then: Then::Sound,
        },
        Example {
            note: "the same, under a code of its own",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"GitHub API answered 401 Unauthorized\"}}",
            then: Then::Sound,
        },
        Example {
            note: "strangers are let in: it is the tool's business",
            site: SiteKind::LetsIn,
            request: "POST /mcp",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32001,\"message\":\"Unauthorized\"}}",
            then: Then::Sound,
        },
        Example {
            note: "nothing to log in to",
            site: SiteKind::Open,
            request: "POST /mcp",
            reply: "200\nContent-Type: application/json\n\n{\"error\":\"unauthorized\"}",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    !request.authorized
        && may_be_refused(request)
        && request.method == Method::POST
        && reply.status == StatusCode::OK
        && reply.is_error_inside()
        && reply.is_json()
        && reply.declared_length().is_none_or(|length| length <= LONGEST)
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let Some(object) = reply.json() else { return Outcome::Sound };
    let is_error = object.has("error") && !object.has("result");
    if !is_error || !site.serves_resource_metadata() || site.known.is_open() {
        return Outcome::Sound;
    }
    let says_so = said::of(reply).is_some_and(|text| {
        words::speaks_of_missing_login(&text)
            && !words::speaks_of_a_block(&text)
            && !words::speaks_of_another_party(&text)
    });
    if !says_so || said::is_about_the_message(reply) {
        return Outcome::Sound;
    }
    let edits = refuse(site, request, reply, Lack::Token);
    Outcome::mended("200 with an error instead of 401 for a missing token", edits)
}
