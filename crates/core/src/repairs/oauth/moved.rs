//! E-16: a registration, token or revocation request that is redirected.

use http::StatusCode;
use http::header::LOCATION;

use super::is_repeatable;
use crate::client::who;
use crate::edit::origin::after_origin;
use crate::endpoint::{self, Class};
use crate::exchange::features::Feature;
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "oauth.moved",
    rows: &["E-16"],
    summary: "the registration, token or revocation endpoint answers with a redirect",
    why: "A framework adds or takes a slash. Clients follow with a GET and without the form, or, as rmcp does, not at \
          all.",
    hits: "every client for 301 and 302; rmcp for 307 and 308",
    stops: who::EVERYBODY,
    remedy: "Asks the upstream at the new path, with method and body kept: for 307 and 308, and for the others if the \
             paths differ in a slash at the end. Never at another host or \
             site, nor where this client may not ask.",
    advice: "Serve the endpoint at the very path that the metadata name.",
    basis: &[basis::REDIRECT],
    default: Mode::Fix,
    on: &[Class::Register, Class::Token, Class::Revoke],
    gate: &[&[Feature::Location]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "a slash is added",
            site: SiteKind::Cohosted,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "307\nLocation: http://localhost:3000/token/",
            then: Then::Asks("POST /token/\n\ngrant_type=authorization_code&code=c"),
        },
        Example {
            note: "a slash is added, with a method that loses the form",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "301\nLocation: /token/",
            then: Then::Asks("POST /token/\n\ngrant_type=authorization_code&code=c"),
        },
        Example {
            note: "another path",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"client_name\":\"c\"}",
            reply: "308\nLocation: api/register?v=2",
            then: Then::Asks("POST /api/register?v=2\n\n{\"client_name\":\"c\"}"),
        },
        Example {
            note: "to log in",
            site: SiteKind::Cohosted,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "302\nLocation: /login",
            then: Then::Sound,
        },
        Example {
            note: "another host",
            site: SiteKind::Cohosted,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "307\nLocation: https://login.example.net/token",
            then: Then::Sound,
        },
        Example {
            note: "another host, without a scheme",
            site: SiteKind::Cohosted,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "307\nLocation: //login.example.net/token",
            then: Then::Sound,
        },
        Example {
            note: "from http to https",
            site: SiteKind::Cohosted,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "301\nLocation: https://mcp.example.com/token",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    is_repeatable(request) && reply.status.is_redirection() && reply.headers.contains_key(LOCATION)
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let location = reply.headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let Some(target) = location.and_then(|location| own_target(site, request.path(), location)) else {
        return Outcome::Sound;
    };
    let path = target.split('?').next().unwrap_or(&target);
    let bare = |path: &str| path.trim_end_matches('/').to_owned();
    let keeps_method = matches!(reply.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    let moves = matches!(reply.status, StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER)
        && bare(path) == bare(request.path());
    // To the same path again leads nowhere else: the upstream is asked in one way only.
    if path == request.path() || !endpoint::is_plain(path) || !(keeps_method || moves) {
        return Outcome::Sound;
    }
    Outcome::again("the endpoint redirects; asking there", Ask::at(target))
}

/// Path and query that a redirect leads to, if they are the upstream's own.
pub(in crate::repairs) fn own_target(site: &Site<'_>, path: &str, location: &str) -> Option<String> {
    let location = location.split('#').next().unwrap_or(location);
    if let Some(rest) = after_origin(location) {
        return site.owns(location).then(|| if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") });
    }
    if location.starts_with("//") || location.contains([':', '\\']) || location.is_empty() {
        return None;
    }
    if location.starts_with('/') {
        return Some(location.to_owned());
    }
    let (directory, _) = path.rsplit_once('/')?;
    Some(format!("{directory}/{location}"))
}
