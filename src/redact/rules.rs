//! What the value of a parameter or member may say, by its name. The allowlist: what is not here is hashed.

/// How much of a value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// A word out of an open list of short words.
    Word,
    /// Words with blanks between, each a scope.
    Scope,
    /// Text for people.
    Words,
    /// Only the words that refusals are made of.
    Refusal,
    /// A URL: what is behind its path only by these same rules.
    Url,
    /// A number or a time, however it is written.
    Number,
    /// A client's id: one that is a URL is public (client id metadata documents).
    Client,
    /// A version of MCP.
    Version,
    /// A media type.
    Media,
    /// An id of a message: a short number, however it is written.
    Id,
    /// A word of the protocols, or nothing.
    Protocol,
    /// Nothing, and it is looked for everywhere else.
    Secret,
    /// Nothing, not even a word that everybody knows.
    Nothing,
}

const WORDS: &[&str] = &[
    "error",
    "grant_type",
    "grant_types",
    "grant_types_supported",
    "response_type",
    "response_types",
    "response_types_supported",
    "response_mode",
    "response_modes_supported",
    "code_challenge_method",
    "code_challenge_methods_supported",
    "token_type",
    "token_type_hint",
    "token_endpoint_auth_method",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "revocation_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_methods_supported",
    "id_token_signing_alg_values_supported",
    "subject_types_supported",
    "bearer_methods_supported",
    "claims_supported",
    "application_type",
    "prompt",
    "display",
    "transport",
];

const URLS: &[&str] = &[
    "issuer",
    "iss",
    "resource",
    "audience",
    "authorization_servers",
    "resource_metadata",
    "url",
    "redirect",
    "location",
    "path",
    "redirect_to",
];

const NUMBERS: &[&str] = &[
    "expires_in",
    "expires_at",
    "client_id_issued_at",
    "client_secret_expires_at",
    "registration_access_token_expires_at",
    "refresh_token_expires_in",
    "max_age",
    "default_max_age",
    "interval",
    "issued_at",
    "exp",
    "iat",
    "nbf",
    "timestamp",
    "status_code",
    "status",
];

const SECRETS: &[&str] = &[
    "code",
    "state",
    "nonce",
    "code_verifier",
    "code_challenge",
    "client_secret",
    "access_token",
    "refresh_token",
    "id_token",
    "token",
    "device_code",
    "user_code",
    "assertion",
    "client_assertion",
    "subject_token",
    "actor_token",
    "registration_access_token",
    "password",
    "username",
    "login_hint",
    "session",
    "session_id",
    "sessionid",
    "session_state",
    "api_key",
    "apikey",
    "key",
    "authorization",
];

/// Of a parameter, or of a member of a document of OAuth. Some write `redirectUris` (C-20, D-20).
pub(super) fn of(name: &str) -> Rule {
    if name.bytes().any(|b| b.is_ascii_uppercase()) { of_snake(&snake(name)) } else { of_snake(name) }
}

fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn of_snake(name: &str) -> Rule {
    let is_in = |list: &[&str]| list.contains(&name);
    if is_in(SECRETS) {
        return Rule::Secret;
    }
    match name {
        "scope" | "scopes" | "scopes_supported" => Rule::Scope,
        "client_id" => Rule::Client,
        "error_description" | "client_name" | "resource_name" | "software_id" | "software_version" | "realm" => {
            Rule::Words
        }
        "message" | "detail" | "msg" | "description" | "title" | "reason" | "hint" => Rule::Refusal,
        _ if is_in(WORDS) => Rule::Word,
        _ if is_in(URLS) => Rule::Url,
        _ if is_in(NUMBERS) => Rule::Number,
        _ if ["_uri", "_uris", "_url", "_endpoint"].iter().any(|end| name.ends_with(end)) => Rule::Url,
        _ if crate::exchange::is_credential(name) => Rule::Secret,
        _ => Rule::Protocol,
    }
}

/// Of a member of a JSON-RPC message, by the names that lead to it, the innermost last.
pub(super) fn of_message(names: &[&str]) -> Rule {
    // What is given to a tool and what it says is nobody's business.
    if names.iter().any(|name| matches!(*name, "arguments" | "structuredContent" | "requestState")) {
        return Rule::Nothing;
    }
    let (name, parent) = (names.last().copied().unwrap_or_default(), names.iter().rev().nth(1).copied());
    let is_of_program = parent.is_some_and(|parent| parent.ends_with("clientInfo") || parent.ends_with("serverInfo"));
    match name {
        "jsonrpc" => Rule::Protocol,
        "method" if names.len() <= 1 => Rule::Word,
        "id" if names.len() <= 1 => Rule::Id,
        "name" | "version" | "title" if is_of_program && names.len() <= 4 => Rule::Words,
        "message" if parent == Some("error") => Rule::Refusal,
        "mimeType" => Rule::Media,
        _ if name.ends_with("rotocolVersion") || name.ends_with("rotocolVersions") || parent == Some("supported") => {
            Rule::Version
        }
        "supported" | "requested" if names.contains(&"error") => Rule::Version,
        "type" | "role" | "level" | "$schema" | "action" | "taskSupport" => Rule::Protocol,
        _ if of(name) == Rule::Secret => Rule::Secret,
        _ => Rule::Nothing,
    }
}
