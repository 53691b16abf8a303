//! Which words may be shown: the protocol's own, names that people give, and nothing that looks made by a machine.

/// Words of the protocols: they are the same for everybody and tell nothing of anybody.
const PROTOCOL: &str = "2.0 none null true false code token id_token plain S256 S512 query fragment form_post Bearer bearer BEARER DPoP \
    N_A Basic basic mac web native public pairwise confidential login consent select_account create offline_access openid profile email \
    client_secret_basic client_secret_post client_secret_jwt private_key_jwt tls_client_auth self_signed_tls_client_auth \
    authorization_code refresh_token client_credentials password implicit access_token urn:ietf:wg:oauth:2.0:oob \
    urn:ietf:params:oauth:grant-type:device_code urn:ietf:params:oauth:grant-type:jwt-bearer \
    urn:ietf:params:oauth:grant-type:token-exchange urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
    urn:ietf:params:oauth:token-type:access_token urn:ietf:params:oauth:token-type:refresh_token \
    urn:ietf:params:oauth:token-type:jwt RS256 RS384 RS512 PS256 ES256 ES384 ES512 EdDSA HS256 RSA EC OKP sig enc header body \
    object string number integer boolean array text image audio resource resource_link user assistant tool auto required \
    any allow deny accept decline cancel form url forbidden error warning info debug notice critical alert emergency \
    page popup touch wap https://json-schema.org/draft/2020-12/schema http://json-schema.org/draft-07/schema# \
    https://json-schema.org/draft-07/schema application/json text/plain text/html text/markdown text/event-stream";

/// Words of refusals, in lower case: with these a sentence still says what was wrong, and nothing of whom.
const REFUSALS: &str = "a an the s io modelcontextprotocol key keys meta property properties schema additional received validation is was are not no none and or of for in on to by with without from must be been has have had does \
    did do can cannot could should this that your you it its at as if only unknown unsupported invalid missing required expected \
    expired revoked malformed bad wrong illegal empty null undefined unauthorized unauthenticated forbidden denied access \
    authentication authorization authenticate authenticated authorize authorized permission permissions header headers bearer token tokens session sessions id ids \
    client clients registered registration register unregistered redirect uri uris url code grant refresh scope scopes insufficient \
    resource audience issuer state verifier challenge pkce method methods allowed found exist exists such request requests body \
    json parse error errors content type media accept acceptable protocol version versions initialize initialized initialization \
    server internal exception failed failure timeout timed out too many rate limit limited large long parameter parameters param params value \
    values field fields object array string number path page endpoint route moved permanently temporarily unavailable gateway service \
    oauth oauth2 mcp http jwt api signature credentials credential login log sign again please try secret used already more than one \
    both stream streaming get post delete put options origin host hosts mode stateless batch message messages notification response \
    active inactive valid provided given supplied specified sent presented mismatch match matches query format form encoded unrecognized";

/// Longest name of a member, parameter or header that is shown.
const LONGEST_NAME: usize = 64;
/// From this length on a word of letters and digits is taken for made by a machine.
const MACHINE_MADE: usize = 20;
/// From this length on a number is.
const LONG_NUMBER: usize = 14;

fn is_among(word: &str, list: &str) -> bool {
    list.split_ascii_whitespace().any(|have| have == word)
}

/// Whether it is a word of the protocols.
pub(super) fn is_protocol(word: &str) -> bool {
    word.len() <= 64 && !word.contains(char::is_whitespace) && is_among(word, PROTOCOL)
}

/// Whether it is a word that refusals are made of.
pub(super) fn is_of_refusals(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    is_among(&word, REFUSALS) || is_among(&word, PROTOCOL) && word.len() < MACHINE_MADE
}

/// Whether it is made of words that refusals are made of: such stand where secrets do, too (`{"code":"invalid_token"}`).
pub(super) fn is_said_by_all(text: &str) -> bool {
    is_protocol(text) || text.split(|c: char| !c.is_ascii_alphanumeric()).flat_map(parts_of).all(is_of_refusals)
}

/// The words of `invalidToken` and `TokenExpiredError`.
pub(super) fn parts_of(word: &str) -> impl Iterator<Item = &str> {
    let bytes = word.as_bytes();
    let starts = (0..word.len())
        .filter(|at| *at == 0 || (bytes[*at].is_ascii_uppercase() && bytes[*at - 1].is_ascii_lowercase()));
    let starts: Vec<usize> = starts.chain([word.len()]).collect();
    (0..starts.len().saturating_sub(1)).map(move |index| &word[starts[index]..starts[index + 1]])
}

/// Whether it reads like a name that somebody gave: letters, the usual marks, and at most one short run of digits.
pub(super) fn is_name(text: &str) -> bool {
    let mut digits = 0;
    let (mut runs, mut before) = (0, false);
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' => {
                (digits, runs) = (digits + 1, runs + usize::from(!before));
                before = true;
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'-' | b'.' | b'$' | b'@' | b':' | b'/' => before = false,
            _ => return false,
        }
    }
    let first = text.bytes().next();
    first.is_some_and(|b| !b.is_ascii_digit())
        && text.len() <= LONGEST_NAME
        && runs <= 1
        && digits <= 3
        && !text.split(|c: char| !c.is_ascii_alphanumeric()).any(is_jumbled)
        && !looks_made(text)
}

/// Whether a part of a name has letters behind digits, or capitals as no name has them.
fn is_jumbled(part: &str) -> bool {
    let digits = part.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let has_letters_behind = part.len() > 4 && digits.bytes().any(|b| b.is_ascii_alphabetic());
    has_letters_behind || (part.len() >= 8 && (case_changes(part) * 5 >= part.len() * 2 || has_odd_capitals(part)))
}

/// Whether capitals stand together at two places, or before a single small letter: no name is written so.
fn has_odd_capitals(part: &str) -> bool {
    let runs: Vec<&[u8]> = part.as_bytes().chunk_by(|a, b| a.is_ascii_uppercase() == b.is_ascii_uppercase()).collect();
    let is_acronym = |run: &[u8]| run.len() >= 2 && run[0].is_ascii_uppercase();
    let before_one = runs.windows(2).any(|pair| is_acronym(pair[0]) && pair[1].len() == 1);
    before_one || runs.iter().filter(|run| is_acronym(run)).count() >= 2
}

/// Whether a word in a text is made by a machine or names somebody.
pub(super) fn tells_whom(word: &str) -> bool {
    let is_jumble = |part: &str| part.len() >= 8 && is_jumbled(part) && part.bytes().any(|b| b.is_ascii_digit());
    looks_made(word) || word.contains('@') || word.split(|c: char| !c.is_ascii_alphanumeric()).any(is_jumble)
}

/// Whether a word looks made by a machine: a key, a code, a hash, an id.
pub(super) fn looks_made(word: &str) -> bool {
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if letters == 0 {
        return digits >= LONG_NUMBER;
    }
    let pieces = word.split(['/', '.', ':', '@']).any(|piece| {
        let has = |is: fn(&u8) -> bool| piece.bytes().any(|b| is(&b));
        piece.len() >= MACHINE_MADE
            && (has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) || case_changes(piece) >= 8)
    });
    pieces || (word.len() >= MACHINE_MADE + 4 && kind_changes(word) >= 4)
}

fn changes(word: &str, kind: impl Fn(u8) -> Option<u8>) -> usize {
    let kinds: Vec<u8> = word.bytes().filter_map(kind).collect();
    kinds.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// How often letters and digits follow each other.
fn kind_changes(word: &str) -> usize {
    changes(word, |b| b.is_ascii_alphanumeric().then_some(u8::from(b.is_ascii_digit())))
}

/// How often small and capital letters follow each other.
fn case_changes(word: &str) -> usize {
    changes(word, |b| b.is_ascii_alphabetic().then_some(u8::from(b.is_ascii_uppercase())))
}

/// Whether it is a version of MCP: a date.
pub(super) fn is_version(text: &str) -> bool {
    let text = text.strip_prefix("DRAFT-").unwrap_or(text);
    text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-') && text.contains('-')
}

/// Whether it is written like a number or a time.
pub(super) fn is_number(text: &str) -> bool {
    let is_part =
        |b: u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b':' | b'T' | b'Z' | b'e' | b'E' | b' ');
    (1..=24).contains(&text.len()) && text.bytes().all(is_part) && text.bytes().any(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_what_machines_make() {
        for name in
            ["redirect_uris", "x5c", "oauth2", "$schema", "io.modelcontextprotocol/clientInfo", "Mcp-Session-Id"]
        {
            assert!(is_name(name), "{name}");
        }
        for made in [
            "s3cret-code-1",
            "550e8400-e29b-41d4-a716-446655440000",
            "a b",
            "",
            "1a",
            "x\"",
            "pin20261",
            "ké",
            "cSIyZmMzXGEzYjI1",
            "qkZ4xT",
        ] {
            assert!(!is_name(made), "{made}");
        }
        for made in [
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "550e8400-e29b-41d4-a716-446655440000",
            "dGhpcyBpcyBhIHNlY3JldCB0b2tlbg",
            "4111111111111111",
        ] {
            assert!(looks_made(made), "{made}");
        }
        for word in
            ["oauth-protected-resource", "python-httpx/0.28.1", "Chrome/120.0.0.0", "AppleWebKit/537.36", "1749600000"]
        {
            assert!(!looks_made(word), "{word}");
        }
    }
}
