//! A token that cannot be revoked because there is none (RFC 7009 section 2.2).

use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::words::is_about_dead_token;
use super::{Said, is_refused};
use crate::endpoint::Class;
use crate::exchange::{Outcome, Reply, ReplyBody, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "token.revoke-unknown",
    rows: &["E-12", "E-11"],
    summary: "the revocation endpoint refuses a token that it does not know",
    why: "The client wants the token to be of no use, and it is. Told of an error it keeps the token, tries again, or \
          does not finish logging out.",
    hits: "clients that log out",
    remedy: "Becomes `200`, if the answer says that the token is unknown, expired or revoked.",
    advice: "Answer `200` to the revocation of a token that is not valid.",
    basis: &[basis::REVOKED],
    default: Mode::Fix,
    on: &[Class::Revoke],
    hook: Hook::Reply {
        needs: Needs::Body,
        when: |request, reply| {
            is_refused(request, reply)
                && reply.status.is_client_error()
                && !matches!(reply.status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS)
        },
        run,
    },
    examples: &[
        Example {
            note: "404",
            site: SiteKind::Open,
            request: "POST /revoke\n\ntoken=t",
            reply: "404\nContent-Type: application/json\n\n{\"message\":\"Token not found\"}",
            then: Then::Becomes("200\n\n(empty)"),
        },
        Example {
            note: "the endpoint is not found",
            site: SiteKind::Open,
            request: "POST /revoke\n\ntoken=t",
            reply: "404\nContent-Type: application/json\n\n{\"error\":\"not_found\"}",
            then: Then::Sound,
        },
        Example {
            note: "a kind of token that is not revoked",
            site: SiteKind::Open,
            request: "POST /revoke\n\ntoken=t",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"unsupported_token_type\",\"error_description\":\"Unknown token\"}",
            then: Then::Sound,
        },
        Example {
            note: "it is about the client",
            site: SiteKind::Open,
            request: "POST /revoke\n\ntoken=t",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_client\",\"error_description\":\"Token not found\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &mut Reply) -> Outcome {
    let Some(said) = Said::by(reply) else { return Outcome::Sound };
    let may_be = matches!(said.meant.as_str(), "invalid_request" | "invalid_grant") || !said.has_registered_code();
    let about_token = said.any(is_about_dead_token) && !said.mentions(&["client"]) && !said.lacks_something();
    if !may_be || !about_token || matches!(said.meant.as_str(), "invalid_client" | "unsupported_token_type") {
        return Outcome::Sound;
    }
    reply.status = StatusCode::OK;
    reply.headers.remove(CONTENT_TYPE);
    reply.headers.remove(CONTENT_LENGTH);
    reply.body = ReplyBody::Empty;
    Outcome::mended("a token that is not valid anyway")
}
