//! URLs, targets, queries and forms: names stay, values by the rules, and every other byte as it was, for what is wrong
//! with a URL must stay wrong.

use std::borrow::Cow;

use super::rules::{self, Rule};
use super::{Pass, words};
use crate::edit::params;

/// Schemes whose rest is content.
const CONTENT: [&str; 4] = ["data", "javascript", "blob", "mailto"];

/// A path as a log shows it: whatever does not read like a name is `*`. A segment may be a key, or carry one as a parameter.
#[must_use]
pub fn path_for_logs(path: &str) -> Cow<'_, str> {
    if path.split('/').all(reads_like_a_name) {
        return path.into();
    }
    path.split('/')
        .map(|segment| if reads_like_a_name(segment) { segment } else { "*" })
        .collect::<Vec<_>>()
        .join("/")
        .into()
}

fn reads_like_a_name(segment: &str) -> bool {
    let is_plain = segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-~*".contains(&b));
    is_plain && (segment.len() <= 3 || words::is_name(segment))
}

impl Pass<'_> {
    /// A value by its rule.
    pub(super) fn by(&self, rule: Rule, text: &str) -> String {
        if rule == Rule::Secret {
            return if text.is_empty() { String::new() } else { self.secret(text) };
        }
        if text.bytes().all(|b| b.is_ascii_whitespace()) && text.len() <= 8 {
            return text.to_owned();
        }
        let kept = match rule {
            Rule::Word => return self.word(text),
            Rule::Words => return self.words(text),
            Rule::Refusal => return self.refusal(text),
            Rule::Scope => return self.scope(text),
            Rule::Url => {
                // Blanks around it are a mistake that is worth seeing; other letters that are not seen, are not.
                let inner = text.trim_matches([' ', '\t', '\r', '\n']);
                return text.replacen(inner, &self.url(inner), 1);
            }
            Rule::Client if text.starts_with("https://") => return self.url(text),
            Rule::Client => return self.secret(text),
            Rule::Number => words::is_number(text),
            Rule::Version => words::is_version(text),
            Rule::Media => text.len() <= 80 && text.bytes().all(|b| b.is_ascii_lowercase() || b"/+.-;= ".contains(&b)),
            Rule::Id => text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit()),
            Rule::Protocol if self.is_refusal.get() && !words::is_protocol(text) => return self.refusal(text),
            Rule::Protocol => words::is_protocol(text),
            Rule::Nothing | Rule::Secret => false,
        };
        if kept && self.secrets.found_in(text).is_none() { text.to_owned() } else { self.value(text) }
    }

    fn scope(&self, text: &str) -> String {
        let one = |scope: &str| {
            if scope.contains("://") { self.url(scope) } else { self.word(scope) }
        };
        // Some write commas.
        let words = |text: &str| text.split(',').map(one).collect::<Vec<_>>().join(",");
        text.split(' ').map(words).collect::<Vec<_>>().join(" ")
    }

    /// The target of a request, or a reference.
    pub(super) fn target(&self, text: &str) -> String {
        let (before, fragment) = text.split_once('#').map_or((text, None), |(before, rest)| (before, Some(rest)));
        let (path, query) = before.split_once('?').map_or((before, None), |(path, query)| (path, Some(query)));
        let mut out = self.path(path);
        if let Some(query) = query {
            out.push('?');
            out.push_str(&self.params(query));
        }
        if let Some(fragment) = fragment {
            out.push('#');
            out.push_str(&self.params(fragment));
        }
        out
    }

    /// A URL. What is before `@` is left out.
    pub(super) fn url(&self, text: &str) -> String {
        if words::is_protocol(text) {
            return text.to_owned();
        }
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (format!("{scheme}:"), rest),
            _ if text.starts_with('/') || text.starts_with('?') => (String::new(), text),
            _ => return self.value(text),
        };
        if CONTENT.iter().any(|content| scheme.trim_end_matches(':').eq_ignore_ascii_case(content)) {
            return format!("{scheme}{}", params::encoded(&self.value(rest)));
        }
        let Some(rest) = rest.strip_prefix("//") else { return format!("{scheme}{}", self.target(rest)) };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        format!("{scheme}//{}{}", self.authority(authority), self.target(rest))
    }

    fn authority(&self, text: &str) -> String {
        let host = match text.rsplit_once('@') {
            Some((user, host)) => {
                self.secrets.add(user);
                user.split(':').for_each(|part| self.secrets.add(part));
                host
            }
            None => text,
        };
        if self.redactor.hosts.iter().any(|own| own == host) {
            return host.to_owned();
        }
        let is_host = |b: u8| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b);
        let label = |label: &str| {
            // A port may stand behind the last of them.
            let (name, port) = label.split_once(':').map_or((label, None), |(name, port)| (name, Some(port)));
            let is_bad = !label.starts_with('[') && (words::looks_made(name) || self.secrets.found_in(name).is_some());
            match (is_bad, port) {
                (false, _) => label.to_owned(),
                (true, None) => self.redactor.hash(name)[1..].to_owned(),
                (true, Some(port)) => format!("{}:{port}", &self.redactor.hash(name)[1..]),
            }
        };
        if host.len() > 128 || !host.bytes().all(is_host) || self.secrets.found_in(host).is_some() {
            return self.redactor.hash(host)[1..].to_owned();
        }
        host.split('.').map(label).collect::<Vec<_>>().join(".")
    }

    /// A path: segments that read like names, and others hashed.
    pub(super) fn path(&self, path: &str) -> String {
        if self.own_paths.iter().any(|own| own == path) {
            return path.to_owned();
        }
        let segment = |segment: &str| {
            if reads_like_a_name(segment) && self.secrets.found_in(segment).is_none() {
                segment.to_owned()
            } else {
                self.value(segment);
                params::encoded(&self.redactor.hash(segment))
            }
        };
        path.split('/').map(segment).collect::<Vec<_>>().join("/")
    }

    /// A query, a fragment or a form.
    pub(super) fn params(&self, text: &str) -> String {
        text.split('&').map(|pair| self.pair(pair)).collect::<Vec<_>>().join("&")
    }

    fn pair(&self, pair: &str) -> String {
        let Some((name, value)) = params::all(pair).next() else { return String::new() };
        let Some((raw_name, raw_value)) = pair.split_once('=') else {
            // A fragment or a flag: nobody knows whether it is a name.
            return params::encoded(&self.value(&name));
        };
        let shown_name = match self.name(&name) {
            kept if kept == *name && raw_name.bytes().all(|b| b != b'%' && b != b'+') => raw_name.to_owned(),
            other => params::encoded(&other),
        };
        let shown = self.by(rules::of(&name), &value);
        let is_as_written = shown == *value && self.secrets.found_in(raw_value).is_none();
        let shown_value = if is_as_written { raw_value.to_owned() } else { params::encoded(&shown) };
        format!("{shown_name}={shown_value}")
    }
}

fn is_scheme(text: &str) -> bool {
    words::is_name(text) && text.len() <= 40 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b))
}
