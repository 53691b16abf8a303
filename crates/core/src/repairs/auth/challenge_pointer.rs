//! a challenge that does not say where the resource metadata are, or says it wrong.

use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use super::{is_ours, leading_bearer, with_challenges};
use crate::client::who;
use crate::edit::challenge::{Challenge, Challenges};
use crate::edit::origin::after_origin;
use crate::endpoint::{self, Class};
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "auth.challenge-pointer",
    rows: &["A-02", "A-03"],
    summary: "the challenge has no `resource_metadata`, or one that clients cannot use",
    why: "A relative URL crashes the Python SDK; one that names the internal host leads every client to another \
          resource than it asked for; without one the hosted clients look at fewer places.",
    hits: "Python SDK, Gemini CLI, claude.ai, ChatGPT; every client when the URL names another host",
    stops: who::HOSTED.and(who::PYTHON).and(who::GEMINI).and(who::RUST),
    remedy: "Sets `resource_metadata` to the absolute public URL under which the proxy answers with the document; \
             takes it out when no document is served. The other parameters stay.",
    advice: "Build the URL from the configured public base URL, never from the Host header.",
    basis: &[basis::CHALLENGE, basis::RESOURCE_PLACE],
    default: Mode::Fix,
    on: &Class::ALL,
    gate: &[&[Feature::Unauthorized, Feature::Forbidden], &[Feature::Challenge]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "the stream of the older transport is a resource of its own",
            site: SiteKind::Cohosted,
            request: "GET /sse",
            reply: "401\nWWW-Authenticate: Bearer resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/sse\"",
            then: Then::Sound,
        },
        Example {
            note: "the internal host",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "401\nWWW-Authenticate: Bearer realm=\"r\", \
                    resource_metadata=\"http://localhost:3000/.well-known/oauth-protected-resource\", \
                    error=\"invalid_token\"",
            then: Then::Becomes(
                "401\nWWW-Authenticate: Bearer realm=\"r\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\", \
                 error=\"invalid_token\"",
            ),
        },
        Example {
            note: "a relative one on a step-up",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "403\nWWW-Authenticate: Bearer error=\"insufficient_scope\", \
                    resource_metadata=\"/.well-known/oauth-protected-resource\"",
            then: Then::Becomes(
                "403\nWWW-Authenticate: Bearer error=\"insufficient_scope\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"",
            ),
        },
        Example {
            note: "a step-up without one",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "403\nWWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"a\"",
            then: Then::Becomes(
                "403\nWWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"a\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"",
            ),
        },
        Example {
            note: "a pointer to nothing",
            site: SiteKind::Open,
            request: "POST /mcp",
            reply: "401\nWWW-Authenticate: Bearer realm=\"r\", resource_metadata=\"http://localhost:3000/none\"",
            then: Then::Becomes("401\nWWW-Authenticate: Bearer realm=\"r\""),
        },
        Example {
            note: "other addresses of the upstream",
            site: SiteKind::Open,
            request: "POST /mcp",
            reply: "401\nWWW-Authenticate: Bearer realm=\"http://127.0.0.1:3000/\", \
                    authorization_uri=\"https://login.example.net/a\"",
            then: Then::Becomes(
                "401\nWWW-Authenticate: Bearer realm=\"https://mcp.example.com/\", \
                 authorization_uri=\"https://login.example.net/a\"",
            ),
        },
        Example {
            note: "another endpoint",
            site: SiteKind::Cohosted,
            request: "GET /admin",
            reply: "401\nWWW-Authenticate: Bearer realm=\"r\", \
                    resource_metadata=\"http://localhost:3000/.well-known/oauth-protected-resource\"",
            then: Then::Becomes(
                "401\nWWW-Authenticate: Bearer realm=\"r\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource\"",
            ),
        },
        Example {
            note: "another endpoint, without quotes, behind another scheme",
            site: SiteKind::Cohosted,
            request: "GET /admin",
            reply: "401\nWWW-Authenticate: Digest realm=\"http://localhost:3000\", nonce=\"n\", algorithm=MD5\n\
                    WWW-Authenticate: Bearer resource_metadata=http://localhost:3000/.well-known/oauth-protected-resource",
            then: Then::Becomes(
                "401\nWWW-Authenticate: Digest realm=\"http://localhost:3000\", nonce=\"n\", algorithm=MD5\n\
                 WWW-Authenticate: Bearer \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource\"",
            ),
        },
        Example {
            note: "no pointer and nothing to point at",
            site: SiteKind::Open,
            request: "POST /mcp",
            reply: "401\nWWW-Authenticate: Bearer realm=\"r\"",
            then: Then::Sound,
        },
    ],
};

/// Turns the upstream's own URLs in the parameters of a Bearer challenge, such as `authorization_uri`, into public ones. Other
/// schemes are left alone: with Digest, the realm is a part of what is hashed (RFC 7616 section 3.4.2).
fn publish(site: &Site<'_>, challenge: &mut Challenge) -> bool {
    challenge.is_bearer() && challenge.change(|_, value| site.to_public(value))
}

fn when(_: &Request, reply: &Reply) -> bool {
    matches!(reply.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        && reply.headers.contains_key(WWW_AUTHENTICATE)
}

/// Where the metadata of the stream of the older transport are, which is a resource of its own (RFC 9728 section 3.1).
fn of_the_stream(site: &Site<'_>, request: &Request, have: Option<&str>) -> Option<String> {
    let own = endpoint::resource_metadata_path(request.path());
    let path = have.filter(|have| site.owns(have)).and_then(after_origin)?;
    (request.class == Class::LegacySse && path == own).then(|| format!("{}{own}", site.facts.public))
}

/// The challenge of an endpoint that is not the protected resource: only the upstream's own addresses in it are wrong. Lines with
/// other schemes stay as they came.
fn publish_all(site: &Site<'_>, reply: &Reply) -> Outcome {
    let lines: Vec<&HeaderValue> = reply.headers.get_all(WWW_AUTHENTICATE).iter().collect();
    let published: Vec<Option<HeaderValue>> = lines.iter().map(|line| publish_line(site, line)).collect();
    let mut edits = Edits::new();
    if published.iter().any(Option::is_some) {
        let line = |(came, new): (&HeaderValue, Option<HeaderValue>)| new.unwrap_or_else(|| came.clone());
        edits.set_all(&WWW_AUTHENTICATE, lines.into_iter().zip(published).map(line));
    }
    Outcome::mended_if_any("the challenge names the upstream's own address", edits)
}

/// A line of Bearer challenges with public addresses; `None` if nothing is wrong, or there is another scheme in it.
fn publish_line(site: &Site<'_>, line: &HeaderValue) -> Option<HeaderValue> {
    let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, line.clone())]);
    let mut found = Challenges::read(&headers);
    let [bearer] = found.list.as_mut_slice() else { return None };
    publish(site, bearer).then(|| bearer.to_value())
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    if !request.class.has_messages() {
        return publish_all(site, reply);
    }
    if is_ours(site, reply) {
        return Outcome::Sound;
    }
    let Some((mut found, mut bearer)) = leading_bearer(reply) else { return Outcome::Sound };
    let mut leaked =
        bearer.change(
            |name, value| {
                if name.eq_ignore_ascii_case("resource_metadata") { None } else { site.to_public(value) }
            },
        );
    for other in found.list.iter_mut().skip(1) {
        leaked |= publish(site, other);
    }
    let have = bearer.get("resource_metadata").map(str::to_owned);
    // MCP 2025-11-25, Runtime Insufficient Scope Errors.
    let is_step_up = bearer.get("error") == Some("insufficient_scope");
    let right = of_the_stream(site, request, have.as_deref()).or_else(|| site.resource_metadata_url());
    let what = match (&have, right) {
        (Some(have), Some(right)) if *have == right => None,
        // Any other 403 needs no pointer; it is only corrected (RFC 6750 section 3.1).
        (None, Some(_)) if reply.status == StatusCode::FORBIDDEN && !is_step_up => None,
        (None, None) => None,
        (Some(have), None) if !site.owns(have) && have.contains("://") => None,
        (Some(_), None) => {
            bearer.remove("resource_metadata");
            Some("the challenge points to metadata that nobody serves")
        }
        (have, Some(right)) => {
            bearer.set("resource_metadata", &right);
            let elsewhere = have.is_some();
            Some(if elsewhere { "the challenge points elsewhere" } else { "the challenge has no resource_metadata" })
        }
    };
    let Some(what) = what.or(leaked.then_some("the challenge names the upstream's own address")) else {
        return Outcome::Sound;
    };
    if let Some(first) = found.list.first_mut() {
        *first = bearer;
    }
    Outcome::mended(what, with_challenges(&found))
}
