//! E-19, field report 18: a `scope` that is empty, or badly spaced.

use std::collections::HashSet;
use std::hash::Hash;

use http::Method;
use http::uri::PathAndQuery;

use crate::client::who;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::{Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "authorize.scope-form",
    rows: &["E-19"],
    summary: "`scope` in an authorization request is empty, has stray blanks, or names a scope twice",
    why: "Clients that append `offline_access` to nothing send `scope=+offline_access`, and others send `scope=`. Both \
          are no list of scope tokens, and strict servers answer invalid_scope.",
    hits: "Claude, at Authelia, Keycloak, better-auth and others that parse strictly",
    stops: who::CLAUDE,
    remedy: "An empty `scope` goes, which says the same; stray blanks and repetitions go. Scopes are neither added nor \
             taken away.",
    advice: "Treat an empty `scope` as omitted.",
    basis: &[basis::AUTHORIZATION_REQUEST, basis::SCOPE],
    default: Mode::Fix,
    on: &[Class::Authorize],
    gate: &[],
    hook: Hook::Request { needs: Needs::Form, when, run, goes_on: false },
    examples: &[
        Example {
            note: "appended to nothing",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a&scope=+offline_access&state=a%2fb",
            reply: "",
            then: Then::Becomes("GET /authorize?client_id=a&scope=offline_access&state=a%2fb"),
        },
        Example {
            note: "empty",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a&scope=&state=a%2fb",
            reply: "",
            then: Then::Becomes("GET /authorize?client_id=a&state=a%2fb"),
        },
        Example {
            note: "twice the same, in a form",
            site: SiteKind::Cohosted,
            request: "POST /authorize\n\nscope=mcp%3Ause++b+mcp:use+&client_id=a",
            reply: "",
            then: Then::Becomes("POST /authorize\n\nscope=mcp%3Ause%20b&client_id=a"),
        },
        Example {
            note: "a list of scopes, as it is written",
            site: SiteKind::Cohosted,
            request: "GET /authorize?scope=mcp:use+offline_access",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "none",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a",
            reply: "",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request) -> bool {
    request.method == Method::POST || request.query().is_some_and(|query| params::has(query, "scope"))
}

fn run(_: &Site<'_>, request: &Request) -> Outcome {
    let mut edits = Edits::new();
    if let Some(query) = request.query().and_then(tidied)
        && let Ok(target) = PathAndQuery::try_from(format!("{}?{query}", request.path()))
    {
        edits.target(target);
    }
    if let Some(form) = request.form().and_then(tidied) {
        edits.fields(form);
    }
    Outcome::mended_if_any("scope is no list of scope tokens", edits)
}

/// The parameters with a `scope` that is well formed, or without one that is empty; `None` if nothing is wrong.
fn tidied(text: &str) -> Option<String> {
    let scope = params::only(text, "scope")?;
    let tokens = distinct(&scope);
    if tokens.is_empty() {
        return params::without(text, "scope");
    }
    let tidy = tokens.join(" ");
    (tidy != scope).then(|| params::map_values(text, "scope", |_| Some(tidy.clone())))?
}

/// The tokens of a scope, each once.
fn distinct(scope: &str) -> Vec<&str> {
    first_of_each(scope.split_ascii_whitespace())
}

/// Each item once, in its order. A request may name thousands of scopes, so none is looked for in a list.
fn first_of_each<T: Copy + Eq + Hash>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = HashSet::new();
    items.filter(|item| seen.insert(*item)).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::hash::Hasher;

    use super::*;

    #[test]
    fn each_scope_stays_once_and_in_its_order() {
        assert_eq!(distinct("b a b  c a"), ["b", "a", "c"]);
    }

    /// A scope, and how often scopes were compared.
    #[derive(Clone, Copy)]
    struct Counted<'a>(u32, &'a Cell<u32>);

    impl PartialEq for Counted<'_> {
        fn eq(&self, other: &Self) -> bool {
            self.1.set(self.1.get() + 1);
            self.0 == other.0
        }
    }

    impl Eq for Counted<'_> {}

    impl Hash for Counted<'_> {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }

    #[test]
    fn thousands_of_scopes_are_compared_a_few_times_each() {
        const MANY: u32 = 20_000;
        let compared = Cell::new(0);
        let twice = (0..MANY).chain(0..MANY).map(|number| Counted(number, &compared));
        assert_eq!(first_of_each(twice).len(), MANY as usize);
        assert!(compared.get() < 4 * MANY, "{}", compared.get());
    }
}
