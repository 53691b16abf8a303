//! E-17, E-18: an authorization response whose `state` is missing or was decoded once too often.

use http::header::LOCATION;
use percent_encoding::percent_decode_str;

use super::{Cut, is_get, is_redirect, is_response, leads_back, location, set_location};
use crate::client::who;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "authorize.state-lost",
    rows: &["E-17", "E-18"],
    summary: "the redirect to the client lacks `state`, or has it with `+`, blanks or percent signs changed",
    why: "A client compares `state` with what it sent and throws the response away at a difference. Without one in an \
          error it cannot tell which login failed, and waits.",
    hits: "every client that sends `state`: all current ones; those whose `state` is base64 most",
    stops: who::EVERYBODY,
    remedy: "Where the answer to the request leads back to its own redirect_uri, `state` becomes what the client sent. \
             One that differs in any other way is left alone.",
    advice: "Return `state` exactly as it came, percent-encoded once; in error responses too.",
    basis: &[basis::AUTHORIZATION_RESPONSE, basis::AUTHORIZATION_ERROR],
    default: Mode::Fix,
    on: &[Class::Authorize],
    gate: &[&[Feature::Location]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "an error without state",
            site: SiteKind::Cohosted,
            request: "GET /authorize?redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcb&state=a%2Bb%3D",
            reply: "302\nLocation: http://127.0.0.1:9/cb?error=access_denied",
            then: Then::Becomes("302\nLocation: http://127.0.0.1:9/cb?error=access_denied&state=a%2Bb%3D"),
        },
        Example {
            note: "written without encoding",
            site: SiteKind::Cohosted,
            request: "GET /authorize?redirect_uri=https%3A%2F%2Fc.example%2Fcb&state=a%2Bb%2F%3D%3D",
            reply: "302\nLocation: https://c.example/cb?state=a+b/==&code=c%2f",
            then: Then::Becomes("302\nLocation: https://c.example/cb?state=a%2Bb%2F%3D%3D&code=c%2f"),
        },
        Example {
            note: "encoded twice",
            site: SiteKind::Cohosted,
            request: "GET /authorize?redirect_uri=https%3A%2F%2Fc.example%2Fcb&state=a%2Fb",
            reply: "302\nLocation: https://c.example/cb?code=c&state=a%252Fb",
            then: Then::Becomes("302\nLocation: https://c.example/cb?code=c&state=a%2Fb"),
        },
        Example {
            note: "the same in another spelling",
            site: SiteKind::Cohosted,
            request: "GET /authorize?redirect_uri=https%3A%2F%2Fc.example%2Fcb&state=a%2fb+c",
            reply: "302\nLocation: https://c.example/cb?code=c&state=a/b%20c",
            then: Then::Sound,
        },
        Example {
            note: "another state",
            site: SiteKind::Cohosted,
            request: "GET /authorize?redirect_uri=https%3A%2F%2Fc.example%2Fcb&state=mine",
            reply: "302\nLocation: https://c.example/cb?code=c&state=theirs",
            then: Then::Sound,
        },
        Example {
            note: "another place",
            site: SiteKind::Cohosted,
            request: "GET /authorize?redirect_uri=https%3A%2F%2Fc.example%2Fcb&state=mine",
            reply: "302\nLocation: https://d.example/cb?code=c",
            then: Then::Sound,
        },
        Example {
            note: "none was sent",
            site: SiteKind::Cohosted,
            request: "GET /authorize?redirect_uri=https%3A%2F%2Fc.example%2Fcb",
            reply: "302\nLocation: https://c.example/cb?code=c",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    is_get(request) && is_redirect(reply) && reply.headers.contains_key(LOCATION)
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let state = request.query().and_then(|query| params::only(query, "state"));
    // What does not decode to text is not known well enough to be written again.
    let Some(state) = state.filter(|state| !state.is_empty() && !state.contains('\u{FFFD}')) else {
        return Outcome::Sound;
    };
    let Some(location) = location(reply).filter(|location| leads_back(site, request, location)) else {
        return Outcome::Sound;
    };
    let cut = Cut::of(location);
    let Some(query) = cut.query.filter(|query| is_response(query)) else { return Outcome::Sound };
    let restored = if params::has(query, "state") {
        match params::only(query, "state") {
            // A state that is another one may be the upstream's own business: and whoever replaced it would make the
            // response to a forged request look like the answer to the client's own (RFC 6749 section 10.12).
            Some(have) if have != state && is_the_same_mangled(&have, &state) => {
                params::map_values(query, "state", |_| Some(state.clone().into_owned()))
            }
            _ => None,
        }
    } else {
        Some(params::with(query, "state", &state))
    };
    let is_error = params::has(query, "error");
    let edits = restored.and_then(|query| set_location(&cut.with_query(&query)));
    let Some(edits) = edits else { return Outcome::Sound };
    let outcome = Outcome::mended("state is not the one that was sent", edits);
    // Where the login has failed, nobody can go on in any case.
    if is_error { outcome.stopping(who::NOBODY) } else { outcome }
}

/// Whether two values differ in nothing but how often they were decoded.
fn is_the_same_mangled(have: &str, sent: &str) -> bool {
    have.is_empty() || plain(have) == plain(sent)
}

/// The text decoded until nothing is left to decode.
fn plain(text: &str) -> String {
    let mut text = text.replace('+', " ");
    // Nobody encodes more often than this; a longer loop would only help one who tries.
    for _ in 0..4 {
        let decoded = percent_decode_str(&text).decode_utf8_lossy().replace('+', " ");
        if decoded == text {
            break;
        }
        text = decoded;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_mangling_from_another_state() {
        for (have, sent, same) in [
            ("a b", "a+b", true),
            ("a+b", "a b", true),
            ("a%2Bb", "a+b", true),
            ("a/b=", "a%2Fb%3D", true),
            ("", "a", true),
            ("a", "b", false),
            ("ab", "a b", false),
            ("A", "a", false),
            ("a%", "a", false),
            ("a%00", "a", false),
        ] {
            assert_eq!(is_the_same_mangled(have, sent), same, "{have} {sent}");
        }
    }
}
