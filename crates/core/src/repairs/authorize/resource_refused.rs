//! E-07, field report 6: the upstream refuses the `resource` parameter.

use super::ask_with;
use super::refusal::{Refusal, is_refused};
use crate::client::who;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// What a page says that is about the parameter and not about any resource.
const IN_PAGES: [&str; 6] = [
    "resource parameter",
    "parameter resource",
    "parameter: resource",
    "'resource'",
    "\"resource\"",
    "&quot;resource&quot;",
];

pub static REPAIR: Repair = Repair {
    id: "authorize.resource-refused",
    rows: &["E-07"],
    summary: "an authorization request is refused for its `resource`",
    why: "All current clients send `resource`, as MCP demands. Entra refuses it beside scopes of its own form \
          (AADSTS9010010), others every resource that nobody configured. The user sees an error in place of the login.",
    hits: "every client that sends `resource`, at Entra, Auth0 before Entra, better-auth, Fabric",
    stops: who::EVERYBODY,
    remedy: "Asks once more without `resource`, which the upstream has first been sent in its own spelling \
             (`identity.resource-parameter`). The MCP endpoint still checks whom a token is for.",
    advice: "Accept the URL of the MCP endpoint as `resource`, or ignore the parameter (RFC 6749 section 3.1).",
    basis: &[basis::RESOURCE_PARAMETER, basis::AUTHORIZATION_REQUEST],
    default: Mode::Fix,
    on: &[Class::Authorize],
    gate: &[],
    hook: Hook::Reply { needs: Needs::Body, when, run },
    examples: &[
        Example {
            note: "invalid_target",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a&resource=http%3A%2F%2Flocalhost%3A3000%2Fmcp&state=a%2fb",
            reply: "302\nLocation: https://c.example/cb?error=invalid_target&state=a%2fb",
            then: Then::Asks("GET /authorize?client_id=a&state=a%2fb"),
        },
        Example {
            note: "Entra's page",
            site: SiteKind::Cohosted,
            request: "GET /authorize?resource=https%3A%2F%2Fa.example&client_id=a",
            reply: "400\nContent-Type: text/html\n\n<p>AADSTS9010010: The resource parameter provided in the request \
                    doesn't match with the requested scopes.</p>",
            then: Then::Asks("GET /authorize?client_id=a"),
        },
        Example {
            note: "better-auth",
            site: SiteKind::Cohosted,
            request: "GET /authorize?resource=https%3A%2F%2Fa.example",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_request\",\"error_description\":\"requested resource is not configured\"}",
            then: Then::Asks("GET /authorize"),
        },
        Example {
            note: "a page about something else",
            site: SiteKind::Cohosted,
            request: "GET /authorize?resource=https%3A%2F%2Fa.example",
            reply: "400\nContent-Type: text/html\n\n<p>The resource you are looking for has moved.</p>",
            then: Then::Sound,
        },
        Example {
            note: "refused for another reason",
            site: SiteKind::Cohosted,
            request: "GET /authorize?resource=https%3A%2F%2Fa.example",
            reply: "302\nLocation: https://c.example/cb?error=access_denied&error_description=The+resource+owner+refused",
            then: Then::Sound,
        },
        Example {
            note: "none was sent",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a",
            reply: "302\nLocation: https://c.example/cb?error=invalid_target",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    request.query().is_some_and(|query| params::has(query, "resource")) && is_refused(request, reply)
}

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let without = request.query().and_then(|query| params::without(query, "resource"));
    match (without, Refusal::of(reply)) {
        (Some(query), Some(refusal)) if is_about_resource(&refusal) => {
            Outcome::again("resource is refused; asking without it", ask_with(request, &query))
        }
        _ => Outcome::Sound,
    }
}

fn is_about_resource(refusal: &Refusal) -> bool {
    if refusal.is("invalid_target") || ["aadsts9010010", "aadsts901002"].iter().any(|code| refusal.names(code)) {
        return true;
    }
    match refusal.code.as_deref() {
        Some("invalid_request" | "invalid_resource") => refusal.names("resource"),
        Some(_) => false,
        None => IN_PAGES.iter().any(|words| refusal.text.contains(words)),
    }
}
