//! Content-Security-Policy (CSP Level 3), changed in its `form-action` alone.

use crate::edit::origin::Origin;

/// A place where a form may lead.
#[derive(Clone, Debug)]
pub enum Place {
    Web(Origin),
    /// A private-use scheme, in lower case.
    App(String),
}

/// The policies of a header line with what their `form-action` lacks to lead to all of these places; `None` if it lacks
/// nothing. `own` is the origin of the page. All other bytes stay.
#[must_use]
pub fn widened(policies: &str, places: &[Place], own: &Origin) -> Option<String> {
    let mut out = String::with_capacity(policies.len() + 64);
    for (index, policy) in policies.split(',').enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        // Of two directives of one name the first counts (CSP Level 3, parse a serialized CSP).
        let mut is_found = false;
        for (index, directive) in policy.split(';').enumerate() {
            out.push_str(if index > 0 { ";" } else { "" });
            let mut words = directive.split_ascii_whitespace();
            if is_found || !words.next().is_some_and(|name| name.eq_ignore_ascii_case("form-action")) {
                out.push_str(directive);
                continue;
            }
            is_found = true;
            let sources: Vec<&str> = words.collect();
            let (text, blanks) = directive.split_at(directive.trim_ascii_end().len());
            out.push_str(text);
            // Whoever lets no form lead anywhere has no form.
            let lets_nothing = sources.iter().all(|source| source.eq_ignore_ascii_case("'none'"));
            for place in places.iter().filter(|place| !lets_nothing && !place.is_let_through(&sources, own)) {
                out.push(' ');
                out.push_str(&place.source());
            }
            out.push_str(blanks);
        }
    }
    (out != policies).then_some(out)
}

impl Place {
    /// The source expression that matches it and no other.
    #[must_use]
    pub fn source(&self) -> String {
        match self {
            Self::Web(origin) => origin.as_str().to_owned(),
            Self::App(scheme) => format!("{scheme}:"),
        }
    }

    fn is_let_through(&self, sources: &[&str], own: &Origin) -> bool {
        sources.iter().any(|source| match self {
            Self::Web(origin) => matches_origin(source, origin, own),
            Self::App(scheme) => source.split_once(':').is_some_and(|(have, rest)| {
                have.eq_ignore_ascii_case(scheme) && (rest.is_empty() || rest.starts_with("//"))
            }),
        })
    }
}

/// Whether a source expression matches an origin (CSP Level 3, URL matching). The path does not count behind a
/// redirect.
fn matches_origin(source: &str, origin: &Origin, own: &Origin) -> bool {
    if source == "*" || (source.eq_ignore_ascii_case("'self'") && own == origin) {
        return true;
    }
    let fits = |scheme: &str| {
        scheme.eq_ignore_ascii_case(origin.scheme()) || (scheme.eq_ignore_ascii_case("http") && origin.is_secure())
    };
    let (scheme, rest) = match source.split_once("://") {
        Some(parts) => parts,
        None => match source.strip_suffix(':') {
            Some(scheme) => return fits(scheme),
            None => (own.scheme(), source),
        },
    };
    let authority = rest.split('/').next().unwrap_or(rest);
    let (host, port) = authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let name = origin.host().to_string();
    let is_host = match host.strip_prefix('*') {
        Some("") => true,
        Some(domain) => domain.starts_with('.') && name.ends_with(&domain.to_ascii_lowercase()),
        None => name.eq_ignore_ascii_case(host),
    };
    let default = if origin.is_secure() { 443 } else { 80 };
    let is_port = match port {
        None => origin.port() == default,
        Some("*") => true,
        Some("80") if origin.is_secure() && origin.port() == 443 => true,
        Some(port) => port.parse() == Ok(origin.port()),
    };
    fits(scheme) && is_host && is_port
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn own() -> Origin {
        Origin::of("https://mcp.example.com").unwrap()
    }

    fn places(url: &str) -> Vec<Place> {
        let app = || Place::App(url.split(':').next().unwrap().to_owned());
        vec![Origin::of(url).map_or_else(|_| app(), Place::Web)]
    }

    #[test]
    fn adds_only_what_is_not_let_through() {
        let https = "https://c.example/cb";
        let port = "https://c.example:8443/cb";
        let loopback = "http://localhost:3118/cb";
        for (redirect_uri, list, is_let) in [
            (https, "'self'", false),
            (https, "*", true),
            (https, "https:", true),
            (https, "http:", true),
            (https, "HTTPS://C.EXAMPLE", true),
            (https, "https://c.example/other/path", true),
            (https, "http://c.example", true),
            (https, "http://c.example:80", true),
            (https, "c.example", true),
            (https, "*.example", true),
            (https, "*.c.example", false),
            (https, "https://c.example:*", true),
            (https, "https://c.example:8443", false),
            (https, "https://c.example.evil.example", false),
            (https, "'none' 'self'", false),
            (port, "https://c.example", false),
            (port, "https://c.example:8443", true),
            (loopback, "https:", false),
            (loopback, "localhost:3118", false),
            (loopback, "http://localhost:*", true),
            (loopback, "http://localhost", false),
            ("cursor://a/cb", "*", false),
            ("cursor://a/cb", "cursor:", true),
            ("cursor://a/cb", "https:", false),
        ] {
            let places = places(redirect_uri);
            let wider = widened(&format!("form-action {list}"), &places, &own());
            assert_eq!(wider.is_none(), is_let, "{redirect_uri} {list}: {wider:?}");
            if let Some(wider) = wider {
                assert_eq!(widened(&wider, &places, &own()), None, "a second pass: {wider}");
            }
        }
        let itself = places("https://mcp.example.com/cb");
        assert_eq!(widened("form-action 'self'", &itself, &own()), None);
    }

    #[test]
    fn every_other_byte_stays() {
        let places = places("https://c.example/cb");
        for (before, after) in [
            ("form-action 'self'", Some("form-action 'self' https://c.example")),
            (" form-action\t'self' ; a", Some(" form-action\t'self' https://c.example ; a")),
            ("a b;FORM-ACTION x;;", Some("a b;FORM-ACTION x https://c.example;;")),
            (
                "form-action a, form-action b,c",
                Some("form-action a https://c.example, form-action b https://c.example,c"),
            ),
            ("form-action a; form-action b", Some("form-action a https://c.example; form-action b")),
            ("form-action 'none'; form-action b", None),
            ("form-action", None),
            ("form-action;x", None),
            ("form-actions a", None),
            ("default-src 'self'", None),
            ("", None),
        ] {
            assert_eq!(widened(before, &places, &own()).as_deref(), after, "{before}");
        }
    }

    proptest! {
        /// Nothing but what was added, and only once.
        #[test]
        fn adds_and_changes_nothing_else(policies in "((form-action|FORM-action|a)?[ \t;,'a-z:/*é]{0,12}){0,6}") {
            let places = [places("https://c.example/cb"), places("cursor://a")].concat();
            if let Some(wider) = widened(&policies, &places, &own()) {
                prop_assert_eq!(wider.replace(" https://c.example", "").replace(" cursor:", ""), policies);
                prop_assert_eq!(widened(&wider, &places, &own()), None);
            }
        }
    }
}
