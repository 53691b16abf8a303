//! D-10, D-11, D-12: authentication method and secret that do not go together.

use serde_json::Value;

use super::{is_accepted, registration};
use crate::endpoint::Class;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// Methods that need the client secret (RFC 7591 section 2, OpenID Core section 9).
const WITH_SECRET: [&str; 3] = ["client_secret_basic", "client_secret_post", "client_secret_jwt"];

pub static REPAIR: Repair = Repair {
    id: "register.auth-method",
    rows: &["D-10", "D-11", "D-12"],
    summary: "the registration's auth method and its client secret do not go together",
    why: "A method that needs a secret without one makes TypeScript and Python clients stop; without a method the \
          Python SDK never sends the secret; a secret beside `none` is sent by some clients and then refused.",
    hits: "TypeScript and Python SDK clients",
    remedy: "No secret: the method becomes `none`. Method `none`, or an empty secret: the secret goes. No method: the \
             one that was asked for if there is a secret, else `none`.",
    advice: "Return `token_endpoint_auth_method` always, and `client_secret` only with a method that uses it.",
    basis: &[basis::REGISTRATION],
    default: Mode::Fix,
    on: &[Class::Register],
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
            note: "a key instead of a secret",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"token_endpoint_auth_method\":\"private_key_jwt\"}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, request: &Request, reply: &mut Reply) -> Outcome {
    let asked = request.json().and_then(|asked| asked.text("token_endpoint_auth_method"));
    let Some(document) = registration(reply) else { return Outcome::Sound };
    let method = match document.get("token_endpoint_auth_method") {
        Some(Value::String(method)) if !method.is_empty() => Some(method),
        Some(Value::String(_) | Value::Null) | None => None,
        Some(_) => return Outcome::Sound,
    };
    let secret = match document.get("client_secret") {
        Some(Value::String(secret)) => Some(secret),
        Some(Value::Null) | None => None,
        Some(_) => return Outcome::Sound,
    };
    let has_secret = secret.as_ref().is_some_and(|secret| !secret.is_empty());
    let right = match &method {
        Some(method) if has_secret || !WITH_SECRET.contains(&method.as_str()) => method.clone(),
        None if has_secret => {
            let mut listed = site.known.auth_methods.iter().flatten();
            let usable = |method: &&String| WITH_SECRET.contains(&method.as_str());
            asked
                .filter(|asked| WITH_SECRET.contains(&asked.as_str()))
                .or_else(|| listed.find(usable).cloned())
                // What RFC 7591 section 2 says of a client that states nothing.
                .unwrap_or_else(|| WITH_SECRET[0].to_owned())
        }
        _ => "none".to_owned(),
    };
    let drop_secret = secret.is_some() && (right == "none" || !has_secret);
    if method.as_ref() == Some(&right) && !drop_secret {
        return Outcome::Sound;
    }
    if method.as_ref() != Some(&right) {
        document.set("token_endpoint_auth_method", right.into());
    }
    if drop_secret {
        document.remove("client_secret");
        document.remove("client_secret_expires_at");
    }
    Outcome::mended("auth method and secret do not go together")
}
