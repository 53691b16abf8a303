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
    unauthorized(text).contains(&Unauthorized::Sender) || demands_login(text)
}

/// What `unauthorized` is said of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unauthorized {
    /// Nothing, or whoever asks.
    Sender,
    /// What only the words behind it can tell; an `unauthorized_client` is one that registered (RFC 6749 section 5.2).
    Unclear,
    /// Something that no login makes good.
    Thing,
}

/// What is called unauthorized in a text.
fn unauthorized(text: &str) -> Vec<Unauthorized> {
    const SENDER: &str = "request requests access user users token error exception status code response http 401";
    const UNCLEAR: &str = "client scope scopes to for as by because due since you your please no not missing without \
                           invalid and or is it";
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at < LONGEST).last().unwrap_or_default();
    let text = text.get(..end).filter(|_| text.len() > LONGEST).unwrap_or(text);
    let lower = text.to_ascii_lowercase();
    let found = ["unauthorized", "unauthorised"].into_iter().flat_map(|word| lower.match_indices(word));
    let what = found.filter_map(|(at, word)| {
        let rest = &text[at + word.len()..];
        let is_inside = lower[..at].ends_with(char::is_alphanumeric) && !text[at..].starts_with('U');
        if is_inside || rest.starts_with(|c: char| c.is_lowercase() || c.is_ascii_digit()) {
            return None;
        }
        let rest = rest.strip_prefix(['_', '-']).unwrap_or_else(|| rest.trim_start_matches([' ', '\t']));
        let mut before = ' ';
        let is_next = |c: &char| {
            let goes_on = c.is_alphanumeric() && !(c.is_uppercase() && before.is_lowercase());
            before = *c;
            goes_on
        };
        let next: String = rest.chars().take_while(is_next).flat_map(char::to_lowercase).collect();
        Some(match next.as_str() {
            "" => Unauthorized::Sender,
            next if is_among(next, SENDER) => Unauthorized::Sender,
            next if is_among(next, UNCLEAR) => Unauthorized::Unclear,
            _ => Unauthorized::Thing,
        })
    });
    what.collect()
}

/// Whether a text says in a sentence that a login or a token is missing, rather than calling something unauthorized.
#[must_use]
pub fn demands_login(text: &str) -> bool {
    const SAID: &str = "unauthenticated|not authenticated|not logged in|not signed in|please log in|please \
                        login|please sign in|please authenticate|must log in|must sign in|must authenticate|must be \
                        logged in|must be signed in|must be authenticated|need to log in|need to sign in|need to \
                        authenticate|anonymous access";
    const SUBJECTS: &str = "token jwt bearer authorization authentication auth credential credentials login";
    let words = Words::of(text);
    let list = words.list();
    let mut subjects = list.iter().enumerate().filter(|(_, word)| is_among(word, SUBJECTS));
    words.have(SAID) || subjects.any(|(at, _)| is_asked_for(&list[..at]) || is_said_to_be_missing(&list[at + 1..]))
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
    unauthorized(text).contains(&Unauthorized::Thing)
        || Words::of(text).have(
            "origin|host|csrf|xsrf|forgery|cross site|ip|rate limit|rate limited|ratelimit|too many requests|throttled|\
         quota|blocked|banned|firewall|waf|cloudflare|captcha|bot|bots|abuse|country|region|allowlist|allowlisted|\
         allow list|whitelist|whitelisted|blacklist|blacklisted|denylist|suspended|disabled|deactivated|subscription|\
         payment|billing|license|maintenance|client certificate|mtls|vpn|rebinding|session id|geo|\
         geoblocked|location|network|networks|slow down|exceeded|user agent|domain|domains|referer|referrer|1020|\
         access denied|organisation policy|organization policy",
        )
}

/// Whether a text speaks of a refusal that the upstream itself met with elsewhere: what it logs in to is not what its
/// clients log in to.
#[must_use]
pub fn speaks_of_another_party(text: &str) -> bool {
    /// Before an API that is the upstream itself.
    const OWN: &str = "the this an a your mcp invalid missing no unauthorized";
    let words = Words::of(text);
    let list = words.list();
    let is_another = |(at, word): (usize, &&str)| {
        let before = at.checked_sub(1).and_then(|at| list.get(at)).copied().unwrap_or("the");
        let next = list.get(at + 1).copied().unwrap_or_default();
        *word == "api" && !is_among(before, OWN) && !is_among(next, "token tokens key keys access")
    };
    list.iter().enumerate().any(is_another)
        || words.have(
            "upstream|backend|third party|database|pool|sql|postgres|mongo|redis|smtp|ldap|github|git hub|gitlab|\
             git lab|our token|our tokens|our access token|our refresh token|our bearer|our credentials|our key|\
             our api|answered 401|returned 401|responded 401|replied 401|answered with 401|returned with 401|\
             responded with 401|replied with 401|failed with 401|status code 401|401 from|answered 403|returned 403|\
             responded with 403|failed with 403|status code 403",
        )
}

/// Whether a text says nothing but that there is no login, or no valid one.
#[must_use]
pub fn is_bare(text: &str) -> bool {
    const BARE: [&str; 16] = [
        "unauthorized",
        "unauthorised",
        "401 unauthorized",
        "unauthenticated",
        "not authenticated",
        "authentication required",
        "login required",
        "invalid token",
        "invalid access token",
        "access token is invalid",
        "token is invalid",
        "token expired",
        "token has expired",
        "access token expired",
        "access token has expired",
        "jwt expired",
    ];
    let mut lines = text.lines().map(Words::of).filter(|words| !words.0.trim().is_empty()).peekable();
    lines.peek().is_some()
        && lines.all(|words| BARE.contains(&words.0.trim().strip_prefix("the ").unwrap_or(words.0.trim())))
}

#[cfg(test)]
mod tests;
