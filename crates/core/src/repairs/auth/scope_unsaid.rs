//! a 403 that does not say in its challenge that a scope is missing.

use http::StatusCode;
use serde_json::Value;

use super::{complete, may_be_refused, said, take_bearer, with_challenges, words};
use crate::client::who;
use crate::edit::challenge::{Challenge, Challenges};
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// Members that name what is missing.
const NAMING: &[&str] = &["required_scopes", "required_scope", "missing_scopes", "missing_scope", "scope", "scopes"];
/// Members that may hold those.
const AROUND: &[&str] = &["error", "detail", "details", "data"];
/// A challenge names so many scopes at most.
const MOST: usize = 32;

pub static REPAIR: Repair = Repair {
    id: "auth.scope-unsaid",
    rows: &["A-11"],
    summary: "a 403 says in its body that a scope is missing, and not in its challenge",
    why: "Clients ask for more scopes only if the challenge says `insufficient_scope`. Otherwise the call just fails.",
    hits: "TypeScript SDK clients, Python SDK, every client that steps up",
    stops: who::TYPESCRIPT.and(who::PYTHON).and(who::RUST).and(who::CLAUDE).and(who::VSCODE),
    remedy: "Adds `error=\"insufficient_scope\"` to the challenge, with the scopes that the body names and \
             `resource_metadata`. The status and the body stay.",
    advice: "Send `WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"...\"` with the 403.",
    basis: &[basis::STEP_UP, basis::BEARER_ERRORS],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::WithToken], &[Feature::Forbidden]],
    hook: Hook::Reply { needs: Needs::Body, when, run },
    examples: &[
        Example {
            note: "no challenge",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "403\nContent-Type: application/json\n\n\
                    {\"error\":\"insufficient_scope\",\"required_scopes\":[\"mcp:read\",\"mcp:write\"]}",
            then: Then::Becomes(
                "403\nContent-Type: application/json\nWWW-Authenticate: Bearer error=\"insufficient_scope\", \
                 scope=\"mcp:read mcp:write\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"insufficient_scope\",\"required_scopes\":[\"mcp:read\",\"mcp:write\"]}",
            ),
        },
        Example {
            note: "in words, and a challenge that says too little",
            site: SiteKind::Foreign,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "403\nContent-Type: application/json\nWWW-Authenticate: Basic realm=\"r\"\n\
                    WWW-Authenticate: Bearer realm=\"r\"\n\n\
                    {\"error\":{\"message\":\"Tool 'x' requires scope 'files:write'.\"}}",
            then: Then::Becomes(
                "403\nContent-Type: application/json\nWWW-Authenticate: Bearer realm=\"r\", \
                 error=\"insufficient_scope\", scope=\"files:write\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\
                 WWW-Authenticate: Basic realm=\"r\"\n\n\
                 {\"error\":{\"message\":\"Tool 'x' requires scope 'files:write'.\"}}",
            ),
        },
        Example {
            note: "which one is not said",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "403\nContent-Type: text/plain\n\nInsufficient scope",
            then: Then::Becomes(
                "403\nContent-Type: text/plain\nWWW-Authenticate: Bearer error=\"insufficient_scope\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 Insufficient scope",
            ),
        },
        Example {
            note: "said already",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "403\nContent-Type: application/json\n\
                    WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"a\"\n\n\
                    {\"error\":\"insufficient_scope\"}",
            then: Then::Sound,
        },
        Example {
            note: "a real 403",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "403\nContent-Type: application/json\n\n{\"error\":\"Missing permission for this project\"}",
            then: Then::Sound,
        },
        Example {
            note: "nothing to log in to",
            site: SiteKind::Open,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "403\nContent-Type: application/json\n\n{\"error\":\"insufficient_scope\"}",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    request.authorized && may_be_refused(request) && reply.status == StatusCode::FORBIDDEN
}

fn run(site: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let text = said::of(reply).unwrap_or_default();
    if !site.serves_resource_metadata() || !words::speaks_of_scope(&text) {
        return Outcome::Sound;
    }
    let mut found = Challenges::read(&reply.headers);
    let says_so = |bearer: &Challenge| bearer.is_bearer() && bearer.get("error") == Some("insufficient_scope");
    if found.list.iter().any(says_so) {
        return Outcome::Sound;
    }
    let mut bearer = take_bearer(&mut found);
    bearer.set("error", "insufficient_scope");
    let scopes = reply.json().map(named_scopes).filter(|scopes| !scopes.is_empty());
    let scopes = scopes.unwrap_or_else(|| quoted_scopes(&text));
    if bearer.get("scope").is_none() && !scopes.is_empty() {
        bearer.set("scope", &scopes.join(" "));
    }
    complete(site, &mut bearer);
    found.list.insert(0, bearer);
    Outcome::mended("403 for a missing scope without insufficient_scope", with_challenges(&found))
}

/// The scopes that members of the body name.
fn named_scopes(object: &Object) -> Vec<String> {
    let of_text = |text: &str| text.split([' ', ',']).filter(|name| is_scope(name)).map(str::to_owned).collect();
    let of_value = |value: Value| -> Vec<String> {
        match value {
            Value::String(text) => of_text(&text),
            Value::Array(list) => list.iter().filter_map(Value::as_str).flat_map(of_text).collect(),
            _ => Vec::new(),
        }
    };
    let inside = AROUND
        .iter()
        .filter_map(|name| object.get(name))
        .filter_map(|value| NAMING.iter().find_map(|name| value.get(name).cloned()));
    let mut scopes = NAMING.iter().filter_map(|name| object.get(name)).chain(inside).map(of_value);
    let mut scopes = scopes.find(|scopes| !scopes.is_empty()).unwrap_or_default();
    scopes.truncate(MOST);
    scopes
}

/// The scopes that stand in quotes behind the word: `requires scope 'a'`, `required scopes: "a", "b"`.
fn quoted_scopes(text: &str) -> Vec<String> {
    let lower = text.to_ascii_lowercase();
    let Some(at) = lower.find("scope") else { return Vec::new() };
    let mut scopes = Vec::new();
    let mut rest = &text[at..];
    while let Some(begin) = rest.find(['\'', '"', '`']) {
        let quote = &rest[begin..=begin];
        let inner = &rest[begin + 1..];
        let Some(end) = inner.find(quote) else { break };
        scopes.extend(inner[..end].split(' ').filter(|name| is_scope(name)).map(str::to_owned));
        rest = &inner[end + 1..];
    }
    scopes.truncate(MOST);
    scopes
}

/// A scope-token (RFC 6749 section 3.3).
fn is_scope(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.bytes().all(|b| b == 0x21 || (0x23..=0x5b).contains(&b) || (0x5d..=0x7e).contains(&b))
}
