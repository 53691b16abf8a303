//! E-07, E-08: `resource` in requests goes back to exactly what the upstream advertises.

use http::Method;
use http::uri::PathAndQuery;

use crate::client::who;
use crate::edit::origin::Origin;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::{Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "identity.resource-parameter",
    rows: &["E-07", "E-08"],
    summary: "`resource` names the public address, and the upstream knows itself by another",
    why: "Clients send the `resource` that the metadata show them. An upstream that issues tokens for its own URL \
          refuses the public one with invalid_target, or issues a token that its endpoint then refuses.",
    hits: "every client that sends `resource`: all current ones",
    stops: who::EVERYBODY,
    remedy: "In authorize queries, token and refresh forms `resource` becomes what the upstream advertises, whatever \
             spelling of our own address the client used. Other resources stay.",
    advice: "Accept the public URL of the endpoint as `resource` and as the audience of tokens.",
    basis: &[basis::RESOURCE_PARAMETER],
    default: Mode::Fix,
    on: &[Class::Authorize, Class::Token],
    gate: &[],
    hook: Hook::Request { needs: Needs::Form, when, run, goes_on: false },
    examples: &[
        Example {
            note: "authorize",
            site: SiteKind::Cohosted,
            request: "GET /authorize?resource=https%3A%2F%2Fmcp.example.com%2Fmcp&state=a%2fb",
            reply: "",
            then: Then::Becomes("GET /authorize?resource=http%3A%2F%2Flocalhost%3A3000%2Fmcp&state=a%2fb"),
        },
        Example {
            note: "token, with a slash",
            site: SiteKind::Cohosted,
            request: "POST /token\nContent-Type: application/x-www-form-urlencoded\n\n\
                      grant_type=refresh_token&refresh_token=r&resource=https%3A%2F%2Fmcp.example.com%2Fmcp%2F",
            reply: "",
            then: Then::Becomes(
                "POST /token\nContent-Type: application/x-www-form-urlencoded\n\n\
                 grant_type=refresh_token&refresh_token=r&resource=http%3A%2F%2Flocalhost%3A3000%2Fmcp",
            ),
        },
        Example {
            note: "nothing advertised: the upstream's origin",
            site: SiteKind::NoResourceMetadata,
            request: "GET /authorize?resource=https%3A%2F%2Fmcp.example.com%2Fmcp",
            reply: "",
            then: Then::Becomes("GET /authorize?resource=http%3A%2F%2Flocalhost%3A3000%2Fmcp"),
        },
        Example {
            note: "another resource",
            site: SiteKind::Cohosted,
            request: "GET /authorize?resource=https%3A%2F%2Fapi.example.net",
            reply: "",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request) -> bool {
    match request.class {
        Class::Authorize => request.query().is_some_and(|query| params::has(query, "resource")) || has_form(request),
        _ => has_form(request),
    }
}

fn has_form(request: &Request) -> bool {
    request.method == Method::POST
}

fn run(site: &Site<'_>, request: &Request) -> Outcome {
    let back = |resource: &str| to_upstream(site, resource);
    let mut edits = Edits::new();
    if let Some(query) = request.query().and_then(|query| params::map_values(query, "resource", back))
        && let Ok(target) = PathAndQuery::try_from(format!("{}?{query}", request.path()))
    {
        edits.target(target);
    }
    if let Some(form) = request.form().and_then(|form| params::map_values(form, "resource", back)) {
        edits.fields(form);
    }
    Outcome::mended_if_any("resource names the public address", edits)
}

/// What the upstream calls the resource that a client names, if it is ours and called otherwise.
fn to_upstream(site: &Site<'_>, resource: &str) -> Option<String> {
    let origin = Origin::of(resource).ok()?;
    if !origin.is_twin_of(&site.facts.public) {
        return None;
    }
    let advertised = site.known.resource.clone();
    let right = advertised.or_else(|| {
        let own = site.known.advertised.first().unwrap_or(&site.facts.upstream);
        let rest = crate::edit::origin::after_origin(resource)?;
        Some(format!("{own}{rest}"))
    })?;
    (right != resource).then_some(right)
}
