//! 4.0: pages that the upstream serves call it from the public origin, which it does not know.

use http::header::{ORIGIN, REFERER};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::client::who;
use crate::edit::origin::{Origin, after_origin};
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::{Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "identity.own-origin",
    rows: &["C-16"],
    summary: "the upstream's own login pages call it from an origin that it does not know as its own",
    why: "Behind a proxy the upstream's login and consent pages are on the public origin. A server that checks Origin \
          or Referer against its own URL (better-auth, Django, Rails) refuses its own forms as forgeries.",
    hits: "every client, in the login",
    stops: who::EVERYBODY,
    remedy: "An Origin or Referer that is exactly the public origin becomes the upstream's own. Any other passes as it \
             is: what is foreign stays foreign.",
    advice: "Add the public origin to the trusted origins.",
    basis: &[basis::LOCATION],
    default: Mode::Fix,
    on: &[Class::Authorize, Class::Register, Class::Token, Class::Revoke, Class::Other],
    gate: &[],
    hook: Hook::Request { needs: Needs::Head, when, run, goes_on: false },
    examples: &[
        Example {
            note: "the consent form",
            site: SiteKind::Cohosted,
            request: "POST /consent\nOrigin: https://mcp.example.com\nReferer: https://mcp.example.com/consent?x=1",
            reply: "",
            then: Then::Becomes(
                "POST /consent\nOrigin: http://localhost:3000\nReferer: http://localhost:3000/consent?x=1",
            ),
        },
        Example {
            note: "a forged one",
            site: SiteKind::Cohosted,
            request: "POST /consent\nOrigin: https://mcp.example.com.evil.example",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "two of them",
            site: SiteKind::Cohosted,
            request: "POST /consent\nOrigin: https://mcp.example.com\nOrigin: https://evil.example",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "a client's page",
            site: SiteKind::Cohosted,
            request: "POST /token\nOrigin: https://claude.ai",
            reply: "",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request) -> bool {
    request.origin.is_some() || request.headers.contains_key(REFERER)
}

/// The value, if the field occurs exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    lines.next().filter(|_| lines.next().is_none())
}

fn run(site: &Site<'_>, request: &Request) -> Outcome {
    let own = site.known.advertised.first().unwrap_or(&site.facts.upstream);
    let public = site.facts.public.as_str();
    let is_public =
        |text: &str| text.starts_with(public) && Origin::of(text).is_ok_and(|origin| origin == site.facts.public);
    let mut edits = Edits::new();
    for name in [ORIGIN, REFERER] {
        let new = only(&request.headers, &name)
            .and_then(|value| value.to_str().ok())
            .filter(|text| is_public(text))
            .and_then(|text| {
                let new = format!("{own}{}", after_origin(text)?);
                (new != text).then(|| HeaderValue::from_str(&new).ok()).flatten()
            });
        if let Some(new) = new {
            edits.set(name, new);
        }
    }
    Outcome::mended_if_any("a page of the upstream's own calls from the public origin", edits)
}
