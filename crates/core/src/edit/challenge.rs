//! `WWW-Authenticate` challenges (RFC 9110 section 11.6.1): read leniently, written strictly.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use super::list::is_token_byte;

/// One challenge: a scheme and its parameters in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub scheme: String,
    /// Credentials-like text instead of parameters, as `Negotiate` sends.
    pub token68: Option<String>,
    params: Vec<(String, String)>,
    /// The text that it was read from, as long as it is sound and unchanged. What a scheme does not let be quoted stays so
    /// (RFC 7616 section 3.3: `stale` and `algorithm` of Digest).
    came: Option<HeaderValue>,
}

/// The schemes that the registry of HTTP authentication schemes names, in small letters, Bearer apart. Among the ruins of a line
/// a word that is none of these is no scheme.
const REGISTERED: [&str; 14] = [
    "basic",
    "concealed",
    "digest",
    "dpop",
    "gnap",
    "hoba",
    "mutual",
    "negotiate",
    "ntlm",
    "oauth",
    "privatetoken",
    "scram-sha-1",
    "scram-sha-256",
    "vapid",
];

/// All challenges of an answer, and whether every byte of them followed the grammar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenges {
    pub list: Vec<Challenge>,
    /// What the grammar does not allow or a strict parser trips over: the first such thing, for the finding.
    pub irregular: Option<&'static str>,
}

impl Challenge {
    /// A challenge without parameters.
    #[must_use]
    pub fn new(scheme: &str) -> Self {
        Self { scheme: scheme.to_owned(), token68: None, params: Vec::new(), came: None }
    }

    #[must_use]
    pub fn is_bearer(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Bearer")
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The parameters, in their order.
    #[must_use]
    pub fn params(&self) -> &[(String, String)] {
        &self.params
    }

    /// Replaces the parameter or adds it at the end. Credentials-like text gives way: there is either that or parameters.
    pub fn set(&mut self, name: &str, value: &str) {
        (self.token68, self.came) = (None, None);
        match self.params.iter_mut().find(|(have, _)| have.eq_ignore_ascii_case(name)) {
            Some((_, have)) => value.clone_into(have),
            None => self.params.push((name.to_owned(), value.to_owned())),
        }
    }

    pub fn remove(&mut self, name: &str) {
        if self.get(name).is_some() {
            self.came = None;
            self.params.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
        }
    }

    /// Takes the credentials-like text out.
    pub fn remove_token68(&mut self) {
        if self.token68.take().is_some() {
            self.came = None;
        }
    }

    /// Gives parameters the value that `change` has for them. Answers whether it had one.
    pub fn change(&mut self, mut change: impl FnMut(&str, &str) -> Option<String>) -> bool {
        let mut any = false;
        for (name, value) in &mut self.params {
            if let Some(new) = change(name, value) {
                (*value, any) = (new, true);
            }
        }
        if any {
            self.came = None;
        }
        any
    }

    /// The header value. A challenge that came as the grammar wants it leaves as it came. In any other every parameter is a
    /// quoted-string of visible ASCII and blanks, so that neither an upstream's text nor a configured one can end the header.
    #[must_use]
    pub fn to_value(&self) -> HeaderValue {
        if let Some(came) = &self.came {
            return came.clone();
        }
        let length: usize = self.params.iter().map(|(name, value)| name.len() + value.len() + 5).sum();
        let mut text = String::with_capacity(self.scheme.len() + length);
        text.push_str(&self.scheme);
        if let Some(token) = &self.token68 {
            let _ = write!(text, " {token}");
        }
        let mut separator = " ";
        for (name, value) in &self.params {
            let is_visible = |c: &char| (' '..='~').contains(c);
            // A value of which nothing is left would be one more thing that strict parsers trip over.
            if !value.chars().any(|c| is_visible(&c)) && (self.is_bearer() || !value.is_empty()) {
                continue;
            }
            text.extend([separator, name, "=\""]);
            separator = ", ";
            if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
                text.push_str(value);
            } else {
                for c in value.chars().filter(is_visible) {
                    if c == '"' || c == '\\' {
                        text.push('\\');
                    }
                    text.push(c);
                }
            }
            text.push('"');
        }
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Bearer"))
    }
}

impl Challenges {
    /// Reads every `WWW-Authenticate` line.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Self {
        let mut all = Self::default();
        for line in headers.get_all(WWW_AUTHENTICATE) {
            let text = text_of(line);
            let first = all.list.len();
            Reader { text: &text, rest: &text, first, spans: Vec::new(), is_broken: false, found: &mut all }.read(line);
        }
        all
    }

    /// The first challenge, if it is Bearer.
    #[must_use]
    pub fn leading_bearer(&self) -> Option<&Challenge> {
        self.list.first().filter(|first| first.is_bearer())
    }

    /// The challenges, one line each.
    pub fn lines(&self) -> impl Iterator<Item = HeaderValue> + '_ {
        self.list.iter().map(Challenge::to_value)
    }
}

/// Optional white space (RFC 9110 section 5.6.3).
const BLANKS: [char; 2] = [' ', '\t'];

/// The text of a line, byte for byte: what is not UTF-8 has a character that no value has for each byte that is not ASCII.
fn text_of(line: &HeaderValue) -> Cow<'_, str> {
    const NOT_ASCII: char = '\u{7f}';
    let as_ascii = |byte: &u8| if byte.is_ascii() { char::from(*byte) } else { NOT_ASCII };
    std::str::from_utf8(line.as_bytes()).map_or_else(|_| line.as_bytes().iter().map(as_ascii).collect(), Cow::Borrowed)
}

/// Reads one line.
struct Reader<'a, 'b> {
    text: &'a str,
    rest: &'a str,
    /// Where the challenges of the line begin in the list.
    first: usize,
    /// Where in the line each of them stands; `None` if it does not follow the grammar.
    spans: Vec<Option<Range<usize>>>,
    /// Whether there is something in the line that is no part of any challenge.
    is_broken: bool,
    found: &'b mut Challenges,
}

impl<'a> Reader<'a, '_> {
    fn read(mut self, line: &HeaderValue) {
        let mut after_comma = true;
        loop {
            self.blanks();
            if let Some(rest) = self.rest.strip_prefix(',') {
                if after_comma {
                    self.irregular("an empty list member");
                }
                (self.rest, after_comma) = (rest, true);
                continue;
            }
            if self.rest.is_empty() {
                break;
            }
            let name = self.take(is_token_byte);
            if name.is_empty() {
                self.is_broken = true;
                self.irregular_here("a character that no scheme or parameter name has");
                let mut rest = self.rest.chars();
                rest.next();
                self.rest = rest.as_str();
                continue;
            }
            self.member(name, after_comma);
            after_comma = false;
        }
        if after_comma && self.found.list.len() > self.first {
            self.irregular("a comma at the end");
        }
        self.keep_what_came(line);
        let mut of_line = self.found.list.iter().skip(self.first);
        if self.is_broken && of_line.any(Challenge::is_bearer) {
            let mut at = 0;
            self.found.list.retain(|one| {
                at += 1;
                let is_sound = || one.came.is_some() && !one.params.is_empty();
                let is_known = || REGISTERED.contains(&one.scheme.to_ascii_lowercase().as_str());
                at <= self.first || one.is_bearer() || is_sound() || is_known()
            });
        }
    }

    /// Lets each challenge that follows the grammar have its text.
    fn keep_what_came(&mut self, line: &HeaderValue) {
        for (challenge, span) in self.found.list.iter_mut().skip(self.first).zip(&self.spans) {
            challenge.came = match span {
                Some(span) if *span == (0..line.len()) => Some(line.clone()),
                Some(span) => line.as_bytes().get(span.clone()).and_then(|text| HeaderValue::from_bytes(text).ok()),
                None => None,
            };
        }
    }

    /// The challenge begun last goes on to here.
    fn extend_span(&mut self) {
        let end = self.text.len() - self.rest.len();
        if let Some(Some(span)) = self.spans.last_mut() {
            span.end = end;
        }
    }

    /// A scheme, or a parameter of the challenge begun last.
    fn member(&mut self, name: &'a str, after_comma: bool) {
        let after = self.rest.trim_start_matches(BLANKS);
        let Some(behind) = after.strip_prefix('=').filter(|_| self.found.list.len() > self.first) else {
            if !after_comma {
                self.irregular("no comma between parameters");
            }
            self.scheme(name);
            return;
        };
        let fresh = self.found.list.last().is_some_and(|last| last.params.is_empty());
        if !after_comma && !fresh {
            self.irregular_here("no comma between parameters");
        }
        self.rest = behind;
        self.blanks();
        let is_quoted = self.rest.starts_with('"');
        let value = self.value();
        self.extend_span();
        // RFC 9110 section 5.6.4 allows an empty text in quotes. Clients of Bearer trip over it.
        let may_be_empty = is_quoted && self.found.list.last().is_some_and(|last| !last.is_bearer());
        if value.is_empty() && !may_be_empty {
            self.irregular_here("an empty parameter value");
            return;
        }
        if let Some(last) = self.found.list.last_mut() {
            if last.token68.is_some() {
                self.irregular_here("parameters beside credentials");
            } else if last.get(name).is_some() {
                self.irregular_here("a parameter given twice");
            } else {
                last.params.push((name.to_owned(), value));
            }
        }
    }

    fn scheme(&mut self, name: &str) {
        let mut challenge = Challenge::new(name);
        let end = self.text.len() - self.rest.len();
        let mut span = Some(end - name.len()..end);
        if name != "Bearer" && challenge.is_bearer() {
            self.irregular("a scheme not spelled `Bearer`");
            challenge.scheme = "Bearer".to_owned();
            span = None;
        }
        let after = self.rest.trim_start_matches(BLANKS);
        let length = after.bytes().take_while(|&b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b)).count();
        let padding = after[length..].bytes().take_while(|&b| b == b'=').count();
        let end = &after[length + padding..];
        // A word followed by one `=` and more text is a parameter; alone it is token68 (or another scheme's name,
        // which never follows without a comma).
        if self.rest.starts_with([' ', '\t'])
            && length > 0
            && (end.is_empty() || end.trim_start_matches(BLANKS).starts_with(','))
        {
            challenge.token68 = Some(after[..length + padding].to_owned());
            self.rest = end;
        }
        self.found.list.push(challenge);
        self.spans.push(span);
        self.extend_span();
    }

    fn value(&mut self) -> String {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let text = self.take_until(|c| c == ',' || c == ' ' || c == '\t');
            if !text.bytes().all(is_token_byte) {
                self.irregular_here("a parameter value that needs quotes");
            }
            return text.trim_matches('\'').to_owned();
        };
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &quoted[at + 1..];
                    return value;
                }
                '\\' => value.extend(chars.next().map(|(_, c)| c)),
                _ => value.push(c),
            }
        }
        self.is_broken = true;
        self.irregular_here("a quote that never ends");
        self.rest = "";
        value
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches(BLANKS);
    }

    fn take(&mut self, is_part: impl Fn(u8) -> bool) -> &'a str {
        let end = self.rest.bytes().position(|b| !is_part(b)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn take_until(&mut self, is_end: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// Something between two challenges.
    fn irregular(&mut self, what: &'static str) {
        self.found.irregular.get_or_insert(what);
    }

    /// Something in the challenge begun last.
    fn irregular_here(&mut self, what: &'static str) {
        self.irregular(what);
        if let Some(span) = self.spans.last_mut() {
            *span = None;
        }
    }
}

#[cfg(test)]
mod tests;
