//! D-10, D-11, D-12, D-13: authentication method and secret that do not go together.

use serde_json::Value;

use super::{asked_for, is_accepted, registration};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::knowledge::strings;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// Methods with which every client presents a secret (RFC 7591 section 2).
pub(super) const WITH_SECRET: [&str; 2] = ["client_secret_basic", "client_secret_post"];

pub static REPAIR: Repair = Repair {
    id: "register.auth-method",
    rows: &["D-10", "D-11", "D-12", "D-13"],
    summary: "the registration's auth method is unusable, or does not go with its client secret",
    why: "A method that needs a secret without one makes TypeScript and Python clients stop; without a method the \
          Python SDK never sends the secret; a secret beside `none` is sent by some clients and then refused. A list \
          or an unknown method stops parsers, and nobody has the key for a method that nobody asked for.",
    hits: "TypeScript and Python SDK clients",
    stops: who::TYPESCRIPT_OAUTH.and(who::PYTHON).and(who::RUST),
    remedy: "No secret: the method becomes `none`. Method `none`, or an empty secret: the secret goes. No method, or \
             one that the client cannot use: the one that was asked for if there is a secret, or else one that the \
             metadata list; without a secret `none`.",
    advice: "Return `token_endpoint_auth_method` always, and `client_secret` only with a method that uses it.",
    basis: &[basis::REGISTRATION],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post], SUCCESS, &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: is_accepted, run },
    examples: &[
        Example {
            note: "basic without a secret",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"token_endpoint_auth_method\":\"client_secret_basic\"}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"token_endpoint_auth_method\":\"none\"}",
            ),
        },
        Example {
            note: "a secret for a public client",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"client_secret\":\"s\",\
                    \"client_secret_expires_at\":0,\"token_endpoint_auth_method\":\"none\"}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"token_endpoint_auth_method\":\"none\"}",
            ),
        },
        Example {
            note: "no method, a secret",
            site: SiteKind::Open,
            request: "POST /register\n\n{\"token_endpoint_auth_method\":\"client_secret_post\"}",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"client_secret\":\"s\",\"client_secret_expires_at\":0}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"client_secret\":\"s\",\
                 \"client_secret_expires_at\":0,\"token_endpoint_auth_method\":\"client_secret_post\"}",
            ),
        },
        Example {
            note: "an empty secret, no method",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"client_secret\":\"\"}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"token_endpoint_auth_method\":\"none\"}",
            ),
        },
        Example {
            note: "a confidential client",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"client_secret\":\"s\",\
                    \"client_secret_expires_at\":0,\"token_endpoint_auth_method\":\"client_secret_post\"}",
            then: Then::Sound,
        },
        Example {
            note: "a key that nobody has",
            site: SiteKind::Open,
            request: "POST /register\n\n{\"client_name\":\"x\"}",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"token_endpoint_auth_method\":\"private_key_jwt\"}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"token_endpoint_auth_method\":\"none\"}",
            ),
        },
        Example {
            note: "an unknown method, a secret, and metadata",
            site: SiteKind::Confidential,
            request: "POST /register\n\n{\"token_endpoint_auth_method\":\"none\"}",
            reply: "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"client_secret\":\"s\",\
                    \"client_secret_expires_at\":0,\"token_endpoint_auth_method\":\"secret\"}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"client_secret\":\"s\",\
                 \"client_secret_expires_at\":0,\"token_endpoint_auth_method\":\"client_secret_basic\"}",
            ),
        },
        Example {
            note: "a list of methods",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"client_secret\":\"s\",\
                    \"client_secret_expires_at\":0,\"token_endpoint_auth_method\":[\"tls\",\"client_secret_post\"]}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"client_secret\":\"s\",\
                 \"client_secret_expires_at\":0,\"token_endpoint_auth_method\":\"client_secret_post\"}",
            ),
        },
        Example {
            note: "a key instead of a secret, as was asked for",
            site: SiteKind::Open,
            request: "POST /register\n\n{\"token_endpoint_auth_method\":\"private_key_jwt\"}",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"token_endpoint_auth_method\":\"private_key_jwt\"}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let asked = asked_for(request, "token_endpoint_auth_method").into_iter().next();
    let Some(mut document) = registration(reply) else { return Outcome::Sound };
    let secret = match document.get("client_secret") {
        Some(Value::String(secret)) => Some(secret),
        Some(Value::Null) | None => None,
        Some(_) => return Outcome::Sound,
    };
    let has_secret = secret.as_ref().is_some_and(|secret| !secret.is_empty());
    let have = document.get("token_endpoint_auth_method");
    let stated = strings(have.clone()).unwrap_or_default();
    let right = match stated.into_iter().find(|method| is_usable(method, request, asked.as_deref())) {
        Some(method) if has_secret || !needs_secret(&method) => method,
        None if has_secret => {
            let mut listed = site.known.auth_methods.iter().flatten();
            let with_secret = |method: &&String| WITH_SECRET.contains(&method.as_str());
            asked
                .filter(|asked| with_secret(&asked))
                .or_else(|| listed.find(with_secret).cloned())
                // What RFC 7591 section 2 says of a client that states nothing.
                .unwrap_or_else(|| WITH_SECRET[0].to_owned())
        }
        _ => "none".to_owned(),
    };
    let drop_secret = secret.is_some() && (right == "none" || !has_secret);
    let right = Value::from(right);
    let is_right = have.as_ref() == Some(&right);
    if is_right && !drop_secret {
        return Outcome::Sound;
    }
    if drop_secret {
        document.remove("client_secret");
        document.remove("client_secret_expires_at");
    }
    if !is_right {
        document.set("token_endpoint_auth_method", right);
    }
    let outcome = Outcome::mended("auth method and secret do not go together", Edits::to_document(document));
    // Who is told no method sends its secret by one of its own choice; the Python SDK sends none.
    if have.is_none() && has_secret { outcome.stopping(who::PYTHON) } else { outcome }
}

/// Whether the client can use a method: everybody's, its own wish, or one with the keys that it brought. A request that
/// was not read may have brought some.
fn is_usable(method: &str, request: &Request, asked: Option<&str>) -> bool {
    let brings_keys = || request.json().is_none_or(|asked| asked.has("jwks") || asked.has("jwks_uri"));
    method == "none"
        || WITH_SECRET.contains(&method)
        || (asked == Some(method) && !method.is_empty())
        || (method == "private_key_jwt" && brings_keys())
}

fn needs_secret(method: &str) -> bool {
    WITH_SECRET.contains(&method) || method == "client_secret_jwt"
}
