//! What sentences in refusals are about.

/// Whether a sentence says that the client is not known.
pub(super) fn is_about_unknown_client(sentence: &str) -> bool {
    const BEFORE: &[&str] = &[
        "unknown",
        "unrecognized",
        "unrecognised",
        "unregistered",
        "invalid",
        "nonexistent",
        "non existent",
        "no such",
    ];
    const AFTER: &[&str] = &[
        "not found",
        "does not exist",
        "doesn't exist",
        "not registered",
        "not recognized",
        "not recognised",
        "not known",
        "is unknown",
        "is invalid",
        "been deleted",
        "was deleted",
        "no longer exists",
    ];
    /// Things of a client's, and other things that may be unknown.
    const OTHER: &[&str] = &[
        "secret",
        "metadata",
        "auth",
        "assertion",
        "credential",
        "token",
        "code",
        "grant",
        "redirect",
        "scope",
        "resource",
        "request",
        "type",
        "name",
        "version",
        "certificate",
    ];
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once("client") {
        let before = before.trim_end().trim_end_matches("oauth2").trim_end_matches("oauth").trim_end();
        let next = after.trim_start().trim_start_matches("id").trim_start_matches("entifier").trim_start();
        let is_of_client = !OTHER.iter().any(|other| next.starts_with(other));
        if is_of_client && BEFORE.iter().any(|word| before.ends_with(word)) {
            return true;
        }
        let named = AFTER.iter().filter_map(|word| after.find(word)).min();
        if named.is_some_and(|at| at <= 80 && !OTHER.iter().any(|other| after[..at].contains(other))) {
            return true;
        }
        rest = after;
    }
    false
}

/// Whether a sentence says that a token is no longer, or never was, good for anything.
pub(super) fn is_about_dead_token(sentence: &str) -> bool {
    const DEAD: &[&str] = &[
        "expired",
        "invalid",
        "revoked",
        "not found",
        "unknown",
        "not exist",
        "doesn't exist",
        "no longer valid",
        "not valid",
        "already used",
        "already been used",
        "not active",
        "inactive",
        "malformed",
        "reused",
        "not recognized",
        "bad",
    ];
    is_about_token(sentence) && DEAD.iter().any(|word| sentence.contains(word))
}

/// Whether a sentence is about the token that was sent, not about a kind of token or a parser's.
pub(super) fn is_about_token(sentence: &str) -> bool {
    const OTHER: &[&str] =
        &["client", "csrf", "token type", "token endpoint", "/token", "unexpected token", "json", "scope"];
    ["token", "jwt"].iter().any(|word| sentence.contains(word)) && !OTHER.iter().any(|word| sentence.contains(word))
}

#[cfg(test)]
mod tests {
    use super::super::said::sentences;
    use super::*;

    #[test]
    fn knows_who_is_unknown() {
        for (text, expected) in [
            ("Unrecognized client_id", true),
            ("unknown_client", true),
            ("invalid_client_id", true),
            ("Unknown OAuth client", true),
            ("Client not found", true),
            ("Client with ID 'a-b' does not exist", true),
            ("The client is not registered", true),
            ("Invalid client metadata", false),
            ("Invalid client secret", false),
            ("Client sent an unknown parameter", false),
            ("Refresh token not found for client", false),
            ("The client's refresh token was not found", false),
            ("Client authentication failed", false),
            ("not found", false),
        ] {
            assert_eq!(sentences(text).any(|sentence| is_about_unknown_client(&sentence)), expected, "{text}");
        }
    }

    #[test]
    fn knows_a_dead_token() {
        for (text, expected) in [
            ("Refresh token expired", true),
            ("invalid_refresh_token", true),
            ("jwt malformed", true),
            ("Token has been revoked", true),
            ("Unexpected token < in JSON is not valid", false),
            ("Invalid token for client", false),
            ("Unsupported token type is invalid", false),
            ("The session is over", false),
            ("Cannot POST /token: invalid", false),
        ] {
            assert_eq!(sentences(text).any(|sentence| is_about_dead_token(&sentence)), expected, "{text}");
        }
    }
}
