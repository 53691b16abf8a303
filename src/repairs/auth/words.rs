//! What a refusal says in words. Servers have a hundred spellings for four things; these are read here, and nothing
//! that is merely near them: in doubt a text says nothing.

/// A refusal is short. What stands behind this many bytes is a page about something else.
pub(super) const LONGEST: usize = 4096;

/// Words before `token` that make it another one than the bearer's.
const OTHER_TOKENS: &str = "csrf xsrf forgery antiforgery authenticity verification session upload download \
                            continuation continue resume resumption page pagination next sync cursor progress \
                            cancellation idempotency refresh reset confirmation invite invitation device push \
                            registration captcha recaptcha turnstile unexpected webhook bot github hub gitlab lab \
                            slack discord upstream integration";

/// Words that may stand between `token` and what is said of it, on the left.
const OWN_TOKENS: &str = "access bearer auth authentication authorization oauth oauth2 jwt json web id api security \
                          user the a an any your this provided supplied";

/// The same, on the right.
const LINKS: &str = "is was were are has have been be it s either already now or and provided supplied presented given \
                     passed string value header headers field signature";

/// Words behind `token` that make it a thing of another trade: coins, models, parsers.
const OTHER_TRADES: &str = "type types id ids address symbol symbols name contract pair amount mint count limit budget usage \
                            length index decimals balance price supply in at near";

const BAD: &str = "invalid expired revoked malformed unknown unrecognized unrecognised inactive bad rejected incorrect \
                   blacklisted";

/// Whether a word is in a list that is written with blanks between.
fn is_among(word: &str, list: &str) -> bool {
    list.split(' ').any(|have| have == word)
}

/// The words of a text in lower case, one blank before and behind each. A word that speaks of another token than the
/// bearer's is not `token`.
struct Words(String);

impl Words {
    fn of(text: &str) -> Self {
        let mut words = Self(String::from(" "));
        let mut word = String::new();
        let mut before = ' ';
        for (_, c) in text.char_indices().take_while(|(at, _)| *at < LONGEST).chain([(0, ' ')]) {
            // `invalidToken` and `TokenExpiredError` are words as well.
            if !c.is_alphanumeric() || (c.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit())) {
                words.push(&mut word);
            }
            if c.is_alphanumeric() {
                word.extend(c.to_lowercase());
            }
            before = c;
        }
        words
    }

    fn push(&mut self, word: &mut String) {
        if word.is_empty() {
            return;
        }
        let last = self.0.trim_end().rsplit(' ').next().unwrap_or_default();
        let is_other = word == "token" && is_among(last, OTHER_TOKENS);
        self.0.push_str(if is_other { "other-token" } else { word });
        self.0.push(' ');
        word.clear();
    }

    /// Whether the words of one of the phrases, written with bars between, stand there one after the other.
    fn have(&self, phrases: &str) -> bool {
        let bytes = self.0.as_bytes();
        let stands = |phrase: &str| {
            self.0.match_indices(phrase).any(|(at, _)| {
                at.checked_sub(1).and_then(|before| bytes.get(before)) == Some(&b' ')
                    && bytes.get(at + phrase.len()) == Some(&b' ')
            })
        };
        phrases.split('|').any(stands)
    }

    fn list(&self) -> Vec<&str> {
        self.0.split(' ').filter(|word| !word.is_empty()).collect()
    }
}

/// Whether a text says that nobody has logged in.
#[must_use]
pub fn speaks_of_missing_login(text: &str) -> bool {
    const SAID: &str = "unauthorised|unauthenticated|not authenticated|not logged in|not signed in|please log in|please \
                        login|please sign in|please authenticate|must log in|must sign in|must authenticate|must be \
                        logged in|must be signed in|must be authenticated|need to log in|need to sign in|need to \
                        authenticate|anonymous access";
    const SUBJECTS: &str = "token jwt bearer authorization authentication auth credential credentials login";
    let words = Words::of(text);
    let list = words.list();
    let is_unauthorized = list.iter().enumerate().any(|(at, word)| {
        // `unauthorized_client` is said of a registration (RFC 6749 section 5.2).
        let next = list.get(at + 1).copied().unwrap_or_default();
        *word == "unauthorized" && !is_among(next, "client ip origin host scope")
    });
    let mut subjects = list.iter().enumerate().filter(|(_, word)| is_among(word, SUBJECTS));
    is_unauthorized
        || words.have(SAID)
        || subjects.any(|(at, _)| is_asked_for(&list[..at]) || is_said_to_be_missing(&list[at + 1..]))
}

/// `missing`, `requires a valid`, `no`: before what is missing.
fn is_asked_for(before: &[&str]) -> bool {
    let word = before.iter().rev().find(|word| !is_among(word, OWN_TOKENS) && !is_among(word, "required valid"));
    word.is_some_and(|word| is_among(word, "missing no without requires require needs need expects lacks"))
}

/// `is required`, `header missing`, `were not provided`: behind what is missing.
fn is_said_to_be_missing(after: &[&str]) -> bool {
    let mut words = after.iter().copied().skip_while(|word| is_among(word, LINKS) || *word == "token");
    let said = words.next().unwrap_or_default();
    is_among(said, "required missing needed absent")
        || (said == "not"
            && is_among(
                words.next().unwrap_or_default(),
                "provided supplied found present sent given set included specified",
            ))
}

/// Whether a text says that the access token is none that counts. Not when it speaks of rights: those are not mended
/// by another token of the same kind.
#[must_use]
pub fn speaks_of_bad_token(text: &str) -> bool {
    const SAID: &str = "signature verification failed|signature has expired|lifetime validation failed|invalid \
                        authentication credentials|could not validate credentials|invalid bearer";
    /// A parser's tokens are no access tokens.
    const PARSERS: &str = "position|column|offset|syntax|in json|well formed|yaml|xml";
    let words = Words::of(text);
    if speaks_of_rights(text) || words.have(PARSERS) {
        return false;
    }
    let list = words.list();
    let mut tokens = list.iter().enumerate().filter(|(_, word)| matches!(**word, "token" | "jwt"));
    words.have(SAID)
        || tokens.any(|(at, _)| {
            let is_ours = !list.get(at + 1).is_some_and(|next| is_among(next, OTHER_TRADES));
            (is_ours && is_called_bad(&list[..at])) || is_said_to_be_bad(&list[at + 1..])
        })
}

/// Whether a text speaks of what somebody may do, rather than of who it is.
#[must_use]
pub fn speaks_of_rights(text: &str) -> bool {
    Words::of(text).have(
        "scope|scopes|permission|permissions|role|roles|privilege|privileges|insufficient|not permitted|not \
         authorized to",
    )
}

/// Whether a text that speaks of a bad token says that it was good once.
#[must_use]
pub fn speaks_of_expiry(text: &str) -> bool {
    let words = Words::of(text);
    words.have("expired") && !words.have("invalid|malformed|revoked")
}

/// `invalid`, `expired or revoked`, `not a valid`: before the token.
fn is_called_bad(before: &[&str]) -> bool {
    let mut words = before.iter().copied().rev().skip_while(|word| is_among(word, OWN_TOKENS));
    match words.next() {
        Some("valid") => matches!(words.find(|word| *word != "a"), Some("not" | "no")),
        Some(word) => is_among(word, BAD),
        None => false,
    }
}

/// `has expired`, `is no longer valid`, `could not be verified`: behind the token.
fn is_said_to_be_bad(after: &[&str]) -> bool {
    let mut words = after.iter().copied().skip_while(|word| is_among(word, LINKS));
    let mut next = || words.next().unwrap_or_default();
    match next() {
        "verification" | "validation" => next() == "failed",
        "isn" => next() == "t" && next() == "valid",
        "not" => is_among(next(), "valid active recognized recognised accepted known"),
        "no" => next() == "longer" && is_among(next(), "valid active"),
        "could" | "can" => next() == "not" && next() == "be" && is_among(next(), "verified validated decoded"),
        word => is_among(word, BAD),
    }
}

/// Whether a text says that a scope is missing.
#[must_use]
pub fn speaks_of_scope(text: &str) -> bool {
    const WANTING: &str = "insufficient missing requires required require lacks lack lacking needs need needed";
    /// How many words apart the two may stand.
    const NEAR: usize = 6;
    let words = Words::of(text);
    let list = words.list();
    let mut scopes = list.iter().enumerate().filter(|(_, word)| matches!(**word, "scope" | "scopes"));
    scopes.any(|(at, _)| {
        let near = &list[at.saturating_sub(NEAR)..list.len().min(at + NEAR)];
        near.iter().any(|word| is_among(word, WANTING))
    })
}

/// Whether a text says that the request is refused whoever sends it, or that logging in would not help.
#[must_use]
pub fn speaks_of_a_block(text: &str) -> bool {
    Words::of(text).have(
        "origin|host|csrf|xsrf|forgery|cross site|ip|rate limit|rate limited|ratelimit|too many requests|throttled|\
         quota|blocked|banned|firewall|waf|cloudflare|captcha|bot|bots|abuse|country|region|allowlist|allowlisted|\
         allow list|whitelist|whitelisted|blacklist|blacklisted|denylist|suspended|disabled|deactivated|subscription|\
         payment|billing|license|maintenance|client certificate|mtls|vpn|rebinding|session id",
    )
}

#[cfg(test)]
mod tests;
