//! What sentences in refusals say, and of what. A word alone proves nothing: the sentence must be about the client or
//! the token from its first word on, and say no more than that it is good for nothing.

/// What may stand before the sentence proper.
const PREFIXES: &[&str] = &[
    "error",
    "oauth error",
    "bad request",
    "not found",
    "unauthorized",
    "invalid request",
    "invalid grant",
    "invalid client",
    "invalid token",
    "unauthorized client",
];

/// Words that say nothing of the thing behind them.
const ARTICLES: &[&str] = &[
    "the",
    "this",
    "that",
    "your",
    "a",
    "an",
    "error",
    "oauth",
    "oauth2",
    "provided",
    "given",
    "supplied",
    "presented",
    "specified",
    "requested",
];

const AUXILIARIES: &[&str] = &["is", "was", "are", "has", "have", "been", "be", "does", "did", "either", "now"];

/// What may follow without a change of meaning.
const REST: &[&str] = &["provided", "given", "supplied", "presented", "specified", "sent", "anymore", "already"];

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
        "could not be found",
        "not exist",
        "doesn't exist",
        "not registered",
        "not recognized",
        "not recognised",
        "not known",
        "unknown",
        "invalid",
        "deleted",
        "no longer exists",
    ];
    says(sentence, client, BEFORE, AFTER)
}

/// Whether a sentence says that the token that was sent is no longer, or never was, good for anything.
pub(super) fn is_about_dead_token(sentence: &str) -> bool {
    says(sentence, token, DEAD, DEAD)
}

/// Whether a sentence says that of a refresh token by name.
pub(super) fn is_about_dead_refresh_token(sentence: &str) -> bool {
    says(sentence, refresh_token, DEAD, DEAD)
}

const DEAD: &[&str] = &[
    "expired",
    "invalid",
    "revoked",
    "not found",
    "could not be found",
    "unknown",
    "no such",
    "not exist",
    "doesn't exist",
    "no longer exists",
    "no longer valid",
    "not valid",
    "already used",
    "already been used",
    "already expired",
    "already revoked",
    "already been revoked",
    "reused",
    "not active",
    "no longer active",
    "inactive",
    "malformed",
    "not recognized",
    "not recognised",
    "unrecognized",
    "unrecognised",
    "bad",
];

/// Whether a sentence of an answer to the client's own authentication is about the client of OAuth, not about one of
/// the server's own.
pub(super) fn is_about_client(sentence: &str) -> bool {
    const OTHER: &[&str] =
        &["redis", "http", "https", "database", "db", "sql", "api", "upstream", "cache", "rest", "grpc", "rpc", "ldap"];
    let words = words(sentence);
    let stands = |(at, word): (usize, &&str)| {
        word.starts_with("client") && !at.checked_sub(1).is_some_and(|at| OTHER.contains(&words[at]))
    };
    !words.iter().any(|word| matches!(*word, "blocked" | "firewall")) && words.iter().enumerate().any(stands)
}

/// Whether a sentence tells of something that the server has done, or may have done, with what was sent: then asking
/// again may spend a code or a refresh token twice.
pub(super) fn tells_of_taking(sentence: &str) -> bool {
    const DONE: &[&str] = &[
        "redeemed",
        "consumed",
        "rotated",
        "used",
        "reused",
        "stored",
        "saved",
        "persisted",
        "issued",
        "exchanged",
        "spent",
        "granted",
        "created",
        "after",
        "once",
    ];
    words(sentence).iter().any(|word| DONE.contains(word))
}

/// Whether a sentence is about something behind the endpoint.
pub(super) fn is_about_elsewhere(sentence: &str) -> bool {
    const BEHIND: &[&str] = &[
        "store", "database", "db", "redis", "cache", "upstream", "backend", "response", "answer", "reply", "provider",
        "service", "remote", "gateway",
    ];
    words(sentence).iter().any(|word| BEHIND.contains(word))
}

/// The words of a sentence, without the punctuation between them. Quotes stay: they mark a name.
pub(super) fn words(sentence: &str) -> Vec<&str> {
    let punctuation = |c: char| ",:!?()`[]".contains(c);
    sentence.split_whitespace().map(|word| word.trim_matches(punctuation)).filter(|word| !word.is_empty()).collect()
}

/// Whether a sentence says one of these things of this: in front of the noun or behind it, and nothing else.
fn says(sentence: &str, noun: fn(&[&str]) -> usize, before: &[&str], after: &[&str]) -> bool {
    let sentence = match sentence.split_once(':') {
        Some((prefix, rest)) if PREFIXES.contains(&prefix.trim()) => rest,
        _ => sentence,
    };
    let words = words(sentence);
    let words = past(&words, ARTICLES);
    let mut rest = words;
    while let Some(behind) = begins(rest, before) {
        rest = past(behind, &["or", "and"]);
        let named = past(rest, ARTICLES);
        let length = noun(named);
        if length > 0 {
            return ends(&named[length..]) || is_name(&named[length..]);
        }
    }
    let length = noun(words);
    length > 0 && is_said(past_name(&words[length..], after), after)
}

/// Whether these words are one of these predicates, or some of them.
fn is_said(mut words: &[&str], predicates: &[&str]) -> bool {
    while let Some(rest) = begins(past(words, AUXILIARIES), predicates).or_else(|| begins(words, predicates)) {
        match rest.first() {
            Some(&("or" | "and")) => words = &rest[1..],
            _ => return ends(rest),
        }
    }
    false
}

/// Behind the name of the thing that the sentence is about, if it has one.
fn past_name<'a, 'b>(words: &'a [&'b str], predicates: &[&str]) -> &'a [&'b str] {
    let named = match words {
        ["with", "id" | "identifier", rest @ ..] | ["with", "client", "id", rest @ ..] => rest,
        [first, ..] if is_name(&[*first]) || first.starts_with('\'') => words,
        _ => return words,
    };
    (1..named.len().min(9)).map(|at| &named[at..]).find(|rest| is_said(rest, predicates)).unwrap_or(words)
}

/// Whether these words are a quoted name or an identifier.
fn is_name(words: &[&str]) -> bool {
    let is_part = |word: &&str| {
        word.bytes().any(|b| b.is_ascii_digit()) || (word.len() >= 4 && word.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let is_quoted = words.first().is_some_and(|word| word.starts_with('\''))
        && words.iter().position(|word| word.ends_with('\'')) == Some(words.len() - 1);
    is_quoted || (!words.is_empty() && words.iter().all(is_part))
}

fn ends(words: &[&str]) -> bool {
    words.first().is_none_or(|word| *word == "please") || words.iter().all(|word| REST.contains(word))
}

/// What is left behind leading words that are among these.
fn past<'a, 'b>(words: &'a [&'b str], passed: &[&str]) -> &'a [&'b str] {
    let length = words.iter().take_while(|word| passed.contains(word)).count();
    &words[length..]
}

/// What is left behind the first of these phrases that the words begin with.
fn begins<'a, 'b>(words: &'a [&'b str], phrases: &[&str]) -> Option<&'a [&'b str]> {
    phrases.iter().find_map(|phrase| {
        let length = phrase.split(' ').count();
        let begin = words.get(..length)?;
        begin.iter().copied().eq(phrase.split(' ')).then(|| &words[length..])
    })
}

/// How many words name the client.
fn client(words: &[&str]) -> usize {
    match words {
        ["client", "id" | "identifier", ..] => 2,
        ["client" | "clientid", ..] => 1,
        _ => 0,
    }
}

/// How many words name a token of OAuth.
fn token(words: &[&str]) -> usize {
    match words {
        ["access" | "refresh", "token" | "jwt", ..] => 2,
        ["token" | "jwt", ..] => 1,
        _ => 0,
    }
}

fn refresh_token(words: &[&str]) -> usize {
    if words.first() == Some(&"refresh") { token(words) } else { 0 }
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
            ("client_not_found", true),
            ("No such client", true),
            ("Unknown OAuth client", true),
            ("Unknown client: 'a-b'", true),
            ("Unknown client 7f3e-00aa-beef", true),
            ("Error: unknown client", true),
            ("Client not found", true),
            ("Client with ID 'a-b' does not exist", true),
            ("Client with id a not found", true),
            ("Client a1 is unknown or was deleted", true),
            ("The client is not registered", true),
            ("The client is not registered for this redirect_uri", false),
            ("Invalid client metadata", false),
            ("Invalid client secret", false),
            ("Client sent an unknown parameter", false),
            ("Refresh token not found for client", false),
            ("The client's refresh token was not found", false),
            ("Client authentication failed", false),
            ("not found", false),
            ("Redis client not found", false),
            ("HTTP client is invalid", false),
            ("Invalid database client", false),
            ("Blocked: unknown client", false),
            ("Unknown client certificate", false),
        ] {
            assert_eq!(sentences(text).any(|sentence| is_about_unknown_client(&sentence)), expected, "{text}");
        }
    }

    #[test]
    fn knows_a_dead_token() {
        for (text, expected) in [
            ("Refresh token expired", true),
            ("Refresh token \'x\' expired.", true),
            ("invalid_refresh_token", true),
            ("jwt malformed", true),
            ("Token has been revoked", true),
            ("Unknown token", true),
            ("token is already revoked", true),
            ("The provided refresh token has already been used", true),
            ("Invalid or expired refresh token", true),
            ("The refresh_token is invalid or has expired, please log in", true),
            ("Unexpected token < in JSON is not valid", false),
            ("Invalid token for client", false),
            ("invalid token for device", false),
            ("Unsupported token type is invalid", false),
            ("The session is over", false),
            ("Cannot POST /token: invalid", false),
            ("Token revocation refused: invalid IP address", false),
            ("Invalid credentials for token revocation", false),
            ("The token was not revoked: unknown tenant", false),
            ("Token is not expired", false),
            ("Route POST:/oauth/revoke-token not found", false),
            ("Cannot POST /oauth/revoke_token: not found", false),
            ("Failed to refresh token: Bad Gateway", false),
            ("could not refresh the token: invalid response from database", false),
        ] {
            assert_eq!(sentences(text).any(|sentence| is_about_dead_token(&sentence)), expected, "{text}");
        }
        assert!(is_about_dead_refresh_token("error: refresh token not found"));
        assert!(!is_about_dead_refresh_token("token expired"));
    }

    #[test]
    fn knows_what_may_have_been_taken() {
        for (text, expected) in [
            ("code consumed; it was not issued to this client id", true),
            ("token rotated, but the resource server could not be notified", true),
            ("client credentials ok, but token could not be stored", true),
            ("resource server could not be reached after the code was redeemed", true),
            ("Unused", false),
            ("grant_type is required", false),
        ] {
            assert_eq!(sentences(text).any(|sentence| tells_of_taking(&sentence)), expected, "{text}");
        }
    }
}
