//! E-19, field report 18: the upstream refuses the scopes that a client asks for.

use super::ask_with;
use super::refusal::{Refusal, is_refused};
use crate::client::who;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::knowledge::strings;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// What clients ask for by habit: the scopes of OpenID Connect Core sections 5.4 and 11.
const HABITUAL: [&str; 4] = ["offline_access", "openid", "profile", "email"];

pub static REPAIR: Repair = Repair {
    id: "authorize.scope-refused",
    rows: &["E-19"],
    summary: "an authorization request is refused with invalid_scope",
    why: "Clients append `offline_access`, or ask for the scopes of OpenID Connect, at servers that know neither. The \
          user sees an error in place of the login.",
    hits: "TypeScript SDK v2, Claude Code, claude.ai, at Authelia, better-auth, Keycloak and others",
    stops: who::TYPESCRIPT_2.and(who::CLAUDE),
    remedy: "Asks once more with those of the scopes that the metadata list; where they list none or all of them, \
             without what clients ask for by habit. Never adds a scope, and never asks for none: that \
             would mean the server's default.",
    advice: "Ignore scopes that are not known (RFC 6749 section 3.3), and list in `scopes_supported` those that are.",
    basis: &[basis::SCOPE, basis::AUTHORIZATION_ERROR],
    default: Mode::Fix,
    on: &[Class::Authorize],
    gate: &[],
    hook: Hook::Reply { needs: Needs::Body, when, run },
    examples: &[
        Example {
            note: "the metadata list some",
            site: SiteKind::Scoped,
            request: "GET /authorize?scope=mcp:read+offline_access&state=a%2fb",
            reply: "302\nLocation: https://c.example/cb?error=invalid_scope&state=a%2fb",
            then: Then::Asks("GET /authorize?scope=mcp%3Aread&state=a%2fb"),
        },
        Example {
            note: "none of those asked for is listed",
            site: SiteKind::Scoped,
            request: "GET /authorize?scope=openid&state=s",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_scope\"}",
            then: Then::Sound,
        },
        Example {
            note: "nothing is listed",
            site: SiteKind::Cohosted,
            request: "GET /authorize?scope=read+openid+offline_access",
            reply: "400\nContent-Type: text/html\n\n<h1>Error</h1><p>invalid_scope: offline_access</p>",
            then: Then::Asks("GET /authorize?scope=read"),
        },
        Example {
            note: "nothing is listed, and nothing else asked for",
            site: SiteKind::Cohosted,
            request: "GET /authorize?scope=offline_access",
            reply: "303\nLocation: https://c.example/cb?error=invalid_scope",
            then: Then::Sound,
        },
        Example {
            note: "all are listed",
            site: SiteKind::Scoped,
            request: "GET /authorize?scope=mcp:read+mcp:write",
            reply: "302\nLocation: https://c.example/cb?error=invalid_scope",
            then: Then::Sound,
        },
        Example {
            note: "refused for another reason",
            site: SiteKind::Scoped,
            request: "GET /authorize?scope=openid",
            reply: "302\nLocation: https://c.example/cb?error=access_denied&error_description=invalid_scope",
            then: Then::Sound,
        },
        Example {
            note: "a form may have been acted on",
            site: SiteKind::Scoped,
            request: "POST /authorize\n\nscope=openid",
            reply: "302\nLocation: https://c.example/cb?error=invalid_scope",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    request.query().is_some_and(|query| params::has(query, "scope")) && is_refused(request, reply)
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let Some(query) = request.query() else { return Outcome::Sound };
    let Some(scope) = params::only(query, "scope") else { return Outcome::Sound };
    if !Refusal::of(reply).is_some_and(|refusal| refusal.is("invalid_scope")) {
        return Outcome::Sound;
    }
    let asked: Vec<&str> = scope.split_ascii_whitespace().collect();
    let Some(fewer) = fewer(&asked, site.known.scopes.as_deref()) else { return Outcome::Sound };
    let query = params::map_values(query, "scope", |_| Some(fewer.join(" ")));
    let Some(query) = query else { return Outcome::Sound };
    // A server may refuse a scope as well as ignore it (RFC 6749 section 3.3).
    let outcome =
        Outcome::again("the scopes are refused; asking for fewer", ask_with(request, &query)).within_the_rules();
    // Clients ask by habit for what the server metadata list, and not for the rest.
    let offered = site.known.server_document.as_ref().and_then(|said| strings(said.get("scopes_supported")));
    let is_offered = |one: &&str| offered.iter().flatten().any(|have| have == one);
    let was_offered = asked.iter().filter(|one| !fewer.contains(*one)).any(is_offered);
    if was_offered { outcome } else { outcome.stopping(who::NOBODY) }
}

/// The scopes to ask for instead, in the order asked for; `None` if there is nothing to leave out, or nothing
/// would remain: without `scope` a server grants its default (RFC 6749 section 3.3), which may be more.
fn fewer<'a>(asked: &[&'a str], listed: Option<&[String]>) -> Option<Vec<&'a str>> {
    if let Some(listed) = listed {
        let known: Vec<&str> = asked.iter().copied().filter(|one| listed.iter().any(|have| have == one)).collect();
        if known.len() < asked.len() {
            return Some(known).filter(|known| !known.is_empty());
        }
    }
    // A server may list what it grants to some clients only.
    let plain: Vec<&str> = asked.iter().copied().filter(|one| !HABITUAL.contains(one)).collect();
    (plain.len() < asked.len() && !plain.is_empty()).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_asks_for_more() {
        let listed = ["a".to_owned(), "b".to_owned(), "openid".to_owned()];
        for (asked, known, then) in [
            (vec!["a", "x"], true, Some(vec!["a"])),
            (vec!["x"], true, None),
            (vec!["x", "openid"], true, Some(vec!["openid"])),
            (vec!["x", "email"], true, None),
            (vec!["a", "openid"], true, Some(vec!["a"])),
            (vec!["openid"], true, None),
            (vec!["openid"], false, None),
            (vec!["a", "b"], true, None),
            (vec!["x", "email"], false, Some(vec!["x"])),
            (vec!["x"], false, None),
            (vec![], true, None),
            (vec![], false, None),
        ] {
            assert_eq!(fewer(&asked, known.then_some(&listed)), then, "{asked:?}");
        }
    }
}
