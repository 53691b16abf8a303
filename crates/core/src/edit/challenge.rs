//! `WWW-Authenticate` challenges (RFC 9110 section 11.6.1): read leniently, written strictly.

use std::fmt::Write as _;

use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use super::list::is_token_byte;

/// One challenge: a scheme and its parameters in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub scheme: String,
    /// Credentials-like text instead of parameters, as `Negotiate` sends.
    pub token68: Option<String>,
    pub params: Vec<(String, String)>,
}

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
        Self { scheme: scheme.to_owned(), token68: None, params: Vec::new() }
    }

    #[must_use]
    pub fn is_bearer(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Bearer")
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Replaces the parameter or adds it at the end.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.params.iter_mut().find(|(have, _)| have.eq_ignore_ascii_case(name)) {
            Some((_, have)) => value.clone_into(have),
            None => self.params.push((name.to_owned(), value.to_owned())),
        }
    }

    pub fn remove(&mut self, name: &str) {
        self.params.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
    }

    /// The header value: every parameter a quoted-string, nothing in it but visible ASCII and blanks, so that neither
    /// an upstream's text nor a configured one can end the header (reliability: header injection).
    #[must_use]
    pub fn to_value(&self) -> HeaderValue {
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
            if !value.chars().any(|c| is_visible(&c)) {
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
            let text = String::from_utf8_lossy(line.as_bytes());
            let mut reader = Reader { rest: &text, found: &mut all };
            reader.read();
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

struct Reader<'a, 'b> {
    rest: &'a str,
    found: &'b mut Challenges,
}

impl<'a> Reader<'a, '_> {
    fn read(&mut self) {
        let first_of_line = self.found.list.len();
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
                self.irregular("a character that no scheme or parameter name has");
                self.rest = self.rest.get(1..).unwrap_or_else(|| self.rest.trim_start_matches(|_| true));
                continue;
            }
            self.member(name, first_of_line, after_comma);
            after_comma = false;
        }
        if after_comma && self.found.list.len() > first_of_line {
            self.irregular("a comma at the end");
        }
    }

    /// A scheme, or a parameter of the challenge begun last.
    fn member(&mut self, name: &'a str, first_of_line: usize, after_comma: bool) {
        let is_param = self.rest.trim_start().starts_with('=') && self.found.list.len() > first_of_line;
        if !is_param {
            if !after_comma {
                self.irregular("no comma between parameters");
            }
            self.scheme(name);
            return;
        }
        let fresh = self.found.list.last().is_some_and(|last| last.params.is_empty());
        if !after_comma && !fresh {
            self.irregular("no comma between parameters");
        }
        self.blanks();
        self.rest = &self.rest[1..];
        self.blanks();
        let value = self.value();
        if value.is_empty() {
            self.irregular("an empty parameter value");
            return;
        }
        if let Some(last) = self.found.list.last_mut() {
            if last.token68.is_some() {
                self.irregular("parameters beside credentials");
            } else if last.get(name).is_some() {
                self.irregular("a parameter given twice");
            } else {
                last.params.push((name.to_owned(), value));
            }
        }
    }

    fn scheme(&mut self, name: &str) {
        let mut challenge = Challenge::new(name);
        if name != "Bearer" && challenge.is_bearer() {
            self.irregular("a scheme not spelled `Bearer`");
            challenge.scheme = "Bearer".to_owned();
        }
        let after = self.rest.trim_start();
        let length = after.bytes().take_while(|&b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b)).count();
        let padding = after[length..].bytes().take_while(|&b| b == b'=').count();
        let end = &after[length + padding..];
        // A word followed by one `=` and more text is a parameter; alone it is token68 (or another scheme's name,
        // which never follows without a comma).
        if self.rest.starts_with([' ', '\t']) && length > 0 && (end.is_empty() || end.trim_start().starts_with(',')) {
            challenge.token68 = Some(after[..length + padding].to_owned());
            self.rest = end;
        }
        self.found.list.push(challenge);
    }

    fn value(&mut self) -> String {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let text = self.take_until(|c| c == ',' || c == ' ' || c == '\t');
            if !text.bytes().all(is_token_byte) {
                self.irregular("a parameter value that needs quotes");
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
        self.irregular("a quote that never ends");
        self.rest = "";
        value
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
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

    fn irregular(&mut self, what: &'static str) {
        self.found.irregular.get_or_insert(what);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[&str]) -> Challenges {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap());
        }
        Challenges::read(&headers)
    }

    #[test]
    fn reads_what_the_grammar_allows() {
        let found = read(&[
            r#"Bearer realm="a \"b\"",error=invalid_token , scope = "x y""#,
            r#"Negotiate dG9rZW4=, Basic realm="r", Bearer"#,
        ]);
        assert_eq!(found.irregular, None);
        assert_eq!(found.list.len(), 4);
        assert_eq!(found.list[0].get("realm"), Some("a \"b\""));
        assert_eq!(found.list[0].get("SCOPE"), Some("x y"));
        assert_eq!(found.list[1].token68.as_deref(), Some("dG9rZW4="));
        assert_eq!(found.list[2].get("realm"), Some("r"));
        assert!(found.list[3].is_bearer());
    }

    #[test]
    fn reads_what_servers_send_and_says_what_is_wrong() {
        for (line, what, name, value) in [
            (r#"Bearer realm="a" scope="x""#, "no comma between parameters", "scope", "x"),
            (
                "Bearer resource_metadata=https://h/p",
                "a parameter value that needs quotes",
                "resource_metadata",
                "https://h/p",
            ),
            (r#"Bearer realm="a, error="x"#, "a character that no scheme or parameter name has", "realm", "a, error="),
            (r#"Bearer realm="", scope="x""#, "an empty parameter value", "scope", "x"),
            (r#"bearer scope="x""#, "a scheme not spelled `Bearer`", "scope", "x"),
            (r#"Bearer, scope="x""#, "", "scope", "x"),
            (r#"Bearer scope="x","#, "a comma at the end", "scope", "x"),
            (r#"Bearer scope="x"#, "a quote that never ends", "scope", "x"),
        ] {
            let found = read(&[line]);
            let first = &found.list[0];
            assert_eq!(first.get(name), Some(value), "{line}");
            assert_eq!(found.irregular.is_some(), !what.is_empty(), "{line}: {:?}", found.irregular);
        }
    }

    /// Writes what was read.
    fn write(headers: &mut HeaderMap) -> Challenges {
        let found = Challenges::read(headers);
        headers.remove(WWW_AUTHENTICATE);
        for line in found.lines() {
            headers.append(WWW_AUTHENTICATE, line);
        }
        found
    }

    #[test]
    fn a_value_that_cannot_be_written_is_left_out() {
        let mut headers = HeaderMap::new();
        let odd = HeaderValue::from_bytes(b"Bearer realm=\"\xe9\", error=\"invalid_token\"").unwrap();
        headers.insert(WWW_AUTHENTICATE, odd);
        write(&mut headers);
        assert_eq!(headers[WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
        assert_eq!(Challenges::read(&headers).irregular, None);
    }

    proptest! {
        #[test]
        fn never_panics_and_writes_what_it_reads(text in "[ -~]{0,60}") {
            let mut headers = HeaderMap::new();
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_str(&text).unwrap());
            let found = write(&mut headers);
            let again = Challenges::read(&headers);
            prop_assert_eq!(&again.list, &found.list);
            prop_assert_eq!(again.irregular, None);
        }

        #[test]
        fn a_value_stays_one_parameter_of_one_challenge(value in "\\PC{1,40}|[\\x00-\\x7f]{1,40}") {
            let mut challenge = Challenge::new("Bearer");
            challenge.set("scope", &value);
            let visible: String = value.chars().filter(|c| (' '..='~').contains(c)).collect();
            let mut headers = HeaderMap::new();
            headers.insert(WWW_AUTHENTICATE, challenge.to_value());
            let found = Challenges::read(&headers);
            prop_assert_eq!(found.list.len(), 1);
            prop_assert_eq!(found.list[0].get("scope").unwrap_or(""), visible);
        }
    }
}
