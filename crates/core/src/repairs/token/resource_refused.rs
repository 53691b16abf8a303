//! E-07: an authorization server that refuses `resource`.

use http::StatusCode;

use super::words::words;
use super::{Said, is_refused};
use crate::client::who;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// Entra ID: `resource` and scopes do not match; `resource` is not what the token is for.
const ENTRA: &[&str] = &["aadsts9010010", "aadsts901002"];

pub static REPAIR: Repair = Repair {
    id: "token.resource-refused",
    rows: &["E-07"],
    summary: "the token endpoint refuses `resource`",
    why: "Every current client sends `resource`, as MCP wants it. Entra ID, Auth0 and better-auth refuse a value that \
          they were not told of, instead of passing over it.",
    hits: "every client that sends `resource`: all current ones",
    stops: who::EVERYBODY,
    remedy: "Asks once more without `resource`. Only after invalid_target, or an invalid_request that names the \
             parameter, and tells of nothing that was taken. The endpoint must check the audience itself.",
    advice: "Register the endpoint's URL as a resource, or ignore the parameter.",
    basis: &[basis::RESOURCE_PARAMETER],
    default: Mode::Fix,
    on: &[Class::Token],
    gate: &[&[Feature::Post], &[Feature::BadRequest, Feature::Unauthorized, Feature::Forbidden]],
    hook: Hook::Reply {
        needs: Needs::Body,
        when: |request, reply| {
            is_refused(request, reply)
                && matches!(reply.status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        },
        run,
    },
    examples: &[
        Example {
            note: "invalid_target",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=a%2fb&resource=https%3A%2F%2Fh%2Fmcp&client_id=c",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_target\"}",
            then: Then::Asks("POST /token\n\ngrant_type=authorization_code&code=a%2fb&client_id=c"),
        },
        Example {
            note: "Entra ID",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r&resource=https%3A%2F%2Fh%2Fmcp",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_request\",\"error_description\":\
                    \"AADSTS9010010: The resource parameter provided in the request doesn't match.\"}",
            then: Then::Asks("POST /token\n\ngrant_type=refresh_token&refresh_token=r"),
        },
        Example {
            note: "better-auth",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c&resource=https%3A%2F%2Fh%2Fmcp",
            reply: "400\nContent-Type: application/json\n\n{\"message\":\"resource https://h/mcp is not configured\"}",
            then: Then::Asks("POST /token\n\ngrant_type=authorization_code&code=c"),
        },
        Example {
            note: "the code is what is refused",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c&resource=https%3A%2F%2Fh%2Fmcp",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_grant\",\"error_description\":\"The resource owner's code expired\"}",
            then: Then::Sound,
        },
        Example {
            note: "none was sent",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_target\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let rest = request.form().and_then(|form| params::without(form, "resource"));
    let (Some(rest), Some(said)) = (rest, Said::by(reply)) else { return Outcome::Sound };
    let refused = said.meant == "invalid_target"
        || said.mentions(ENTRA)
        || (said.meant == "invalid_request" && said.any(names_parameter));
    let refused = refused && !said.tells_of_taking();
    if !refused {
        return Outcome::Sound;
    }
    Outcome::again("resource was refused; asking without it", Ask::with_form(rest))
}

/// Whether a sentence is about the parameter or its value, not about a resource server, its owner, or some resource that
/// was not found.
fn names_parameter(sentence: &str) -> bool {
    const WRONG: &[&str] =
        &["invalid", "unknown", "unsupported", "unexpected", "unrecognized", "unregistered", "not", "mismatch"];
    let words: Vec<&str> = words(sentence).into_iter().map(|word| word.trim_matches('\'')).collect();
    let is_value = |word: &str| word.starts_with("http");
    words.iter().enumerate().any(|(at, word)| {
        let before = at.checked_sub(1).map_or("", |at| words[at]);
        let after = &words[at + 1..];
        *word == "resource"
            && (matches!(before, "parameter" | "field")
                || matches!(after, ["parameter" | "indicator" | "indicators", ..])
                || matches!(after, [value, ..] if is_value(value))
                || (after.is_empty() && WRONG.contains(&before))
                || matches!(after, ["is" | "was", wrong, rest @ ..] if WRONG.contains(wrong) && rest != ["found"])
                || matches!(after, ["not", "configured" | "supported" | "allowed" | "registered", ..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_parameter() {
        for (sentence, expected) in [
            ("the resource parameter provided in the request doesn't match", true),
            ("unknown parameter: resource", true),
            ("invalid resource", true),
            ("unexpected parameter 'resource'", true),
            ("resource https://h", true),
            ("resource is not supported", true),
            ("requested resource is invalid", true),
            ("resource not found", false),
            ("the resource was not found", false),
            ("resource server could not be reached", false),
            ("the resource owner's code expired", false),
            ("could not open resource", false),
        ] {
            assert_eq!(names_parameter(sentence), expected, "{sentence}");
        }
    }
}
