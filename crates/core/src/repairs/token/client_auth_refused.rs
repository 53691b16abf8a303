//! E-05: client authentication refused because of the place where the credentials are.

use http::StatusCode;
use http::header::WWW_AUTHENTICATE;

use super::client_auth::{in_header, posted_in};
use super::words::words;
use super::{Said, is_refused};
use crate::client::who;
use crate::edit::basic::Credentials;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Ask, Outcome, Reply, Request, RequestBody, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// What servers say that look for the credentials in the other place.
const NAMES: &[&str] = &[
    "client id",
    "client authentication",
    "client credentials",
    "client secret",
    "authorization header",
    "basic auth",
    "basic authentication",
];

/// At 401, where the status says that the client was not let in, these are enough.
const WORDS: &[&str] = &["authenticate the client", "authenticate client", "invalid client"];

pub static REPAIR: Repair = Repair {
    id: "token.client-auth-refused",
    rows: &["E-05"],
    summary: "the server finds the client's id and secret in one place only, and the client sends them in the other",
    why: "The login fails at its last step with invalid_client or `Missing client_id`. Metadata often list what the \
          server does not do.",
    hits: "Claude (always in the form), rmcp, Codex, Python SDK",
    stops: who::CLAUDE.and(who::RUST).and(who::PYTHON),
    remedy: "Asks once more with the same id and secret in the other place: the form instead of the header, or the \
             header instead of the form; or with the id in both, where the metadata list Basic and it is missed. Only after invalid_client, a 401 about it, or words that it is missing \
             or unsupported, and of nothing that was taken: client authentication comes before the code is looked at.",
    advice: "Read the credentials from the `Authorization` header and from the form.",
    basis: &[basis::CLIENT_SECRET, basis::TOKEN_REQUEST],
    default: Mode::Fix,
    on: &[Class::Token, Class::Revoke],
    gate: &[&[Feature::Post], &[Feature::BadRequest, Feature::Unauthorized]],
    hook: Hook::Reply {
        needs: Needs::Body,
        when: |request, reply| {
            is_refused(request, reply) && matches!(reply.status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED)
        },
        run,
    },
    examples: &[
        Example {
            note: "the header is not looked at",
            site: SiteKind::Open,
            request: "POST /token\nAuthorization: Basic YSUzQWI6cCUyNXE=\n\ngrant_type=authorization_code&code=c",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_request\",\"error_description\":\"Missing client_id\"}",
            then: Then::Asks("POST /token\n\ngrant_type=authorization_code&code=c&client_id=a%3Ab&client_secret=p%25q"),
        },
        Example {
            note: "the header is looked at beside the id in the form",
            site: SiteKind::Confidential,
            request: "POST /token\nAuthorization: Basic YTpzMw==\n\ngrant_type=authorization_code&code=c",
            reply: "401\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_client\",\"error_description\":\"Missing client_id\"}",
            then: Then::Asks(
                "POST /token\nAuthorization: Basic YTpzMw==\n\ngrant_type=authorization_code&code=c&client_id=a",
            ),
        },
        Example {
            note: "the form is not looked at",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r&client_id=a&client_secret=s3",
            reply: "401\nContent-Type: application/json\n\n{\"error\":\"invalid_client\"}",
            then: Then::Asks(
                "POST /token\nAuthorization: Basic YTpzMw==\n\ngrant_type=refresh_token&refresh_token=r&client_id=a",
            ),
        },
        Example {
            note: "a challenge for Basic",
            site: SiteKind::Open,
            request: "POST /revoke\n\ntoken=t&client_id=a&client_secret=s3",
            reply: "401\nContent-Type: text/plain\nWWW-Authenticate: Basic realm=\"r\"\n\nUnauthorized",
            then: Then::Asks("POST /revoke\nAuthorization: Basic YTpzMw==\n\ntoken=t&client_id=a"),
        },
        Example {
            note: "a public client has nothing to move",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c&client_id=a",
            reply: "401\nContent-Type: application/json\n\n{\"error\":\"invalid_client\"}",
            then: Then::Sound,
        },
        Example {
            note: "the client was let in",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c&client_id=a&client_secret=s3",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_grant\",\"error_description\":\"Code is for another client_id\"}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let Some(said) = Said::by(reply) else { return Outcome::Sound };
    let Some(form) = request.form() else { return Outcome::Sound };
    let may_be =
        matches!(said.meant.as_str(), "invalid_request" | "unauthorized_client") || !said.has_registered_code();
    let refused = said.meant == "invalid_client"
        || (may_be
            && (said.any(misses_client) || (reply.status == StatusCode::UNAUTHORIZED && is_about_it(&said, reply))));
    if !refused || said.tells_of_taking() || params::has(form, "client_assertion") {
        return Outcome::Sound;
    }
    let Some(posted) = Credentials::of_form(form) else { return Outcome::Sound };
    match in_header(&request.headers) {
        Ok(Some(header)) if posted.secret.is_empty() && !header.secret.is_empty() => {
            let client = header.meant();
            // The MCP Python SDK takes Basic only beside a client_id in the form, which tells it whom to look up.
            let takes_basic = site.known.auth_methods.iter().flatten().any(|method| method == "client_secret_basic");
            if posted.id.is_empty() && takes_basic && said.mentions(&["client id"]) {
                let form = params::with(form, "client_id", &client.id);
                return Outcome::again(
                    "client_id is missing in the form; asking with it there too",
                    Ask::with_form(form),
                );
            }
            let ask = Ask {
                authorization: Some(None),
                body: Some(RequestBody::Form(posted_in(form, &client))),
                ..Ask::default()
            };
            Outcome::again("client authentication refused in the header; asking with the form", ask)
        }
        Ok(None) if !posted.secret.is_empty() && !posted.id.is_empty() => {
            let Some(value) = posted.write() else { return Outcome::Sound };
            let rest = params::without(form, "client_secret").unwrap_or_else(|| form.to_owned());
            let ask = Ask { authorization: Some(Some(value)), body: Some(RequestBody::Form(rest)), ..Ask::default() };
            Outcome::again("client authentication refused in the form; asking with the header", ask)
        }
        _ => Outcome::Sound,
    }
}

fn is_about_it(said: &Said, reply: &Reply) -> bool {
    said.mentions(NAMES) || said.mentions(WORDS) || challenged(reply)
}

/// Whether a sentence says that the client's authentication, or a part of it, is missing or not supported, in words that
/// stand next to its name.
fn misses_client(sentence: &str) -> bool {
    const WITHOUT: &[&str] = &["missing", "no", "unsupported", "without"];
    const MISSING: &[&str] = &["missing", "required", "unsupported", "undefined"];
    const NOT: &[&str] = &["provided", "supported", "present", "found", "sent", "specified", "supplied"];
    /// Other parts of it, and words between.
    const BETWEEN: &[&str] = &[
        "the",
        "required",
        "parameter",
        "parameters",
        "field",
        "fields",
        "method",
        "header",
        "or",
        "and",
        "is",
        "are",
        "was",
        "were",
        "client",
        "id",
        "secret",
        "credentials",
        "authentication",
    ];
    let words = words(sentence);
    NAMES.iter().any(|name| {
        let length = name.split(' ').count();
        (0..words.len()).filter(|&at| words[at..].iter().take(length).copied().eq(name.split(' '))).any(|at| {
            let before = words[..at].iter().rev().find(|word| !BETWEEN.contains(word));
            // `required` may be what is said or stand between; behind the name it is said.
            let is_between = |word: &&&str| BETWEEN.contains(*word) && **word != "required";
            let skipped = words[at + length..].iter().take_while(is_between).count();
            let after = &words[at + length + skipped..];
            before.is_some_and(|word| WITHOUT.contains(word))
                || after.first().is_some_and(|word| MISSING.contains(word))
                || matches!(after, ["not", what, ..] | ["must", "be", what, ..] if NOT.contains(what))
        })
    })
}

/// Whether the answer asks for Basic (RFC 6749 section 5.2: it names the scheme that the client shall use).
fn challenged(reply: &Reply) -> bool {
    reply.status == StatusCode::UNAUTHORIZED
        && reply
            .headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .any(|line| line.as_bytes().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic")))
}
