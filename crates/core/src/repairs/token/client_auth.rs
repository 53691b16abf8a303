//! E-05: a client that authenticates in two ways at once, in one that the server does not take, or with nothing.

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};

use crate::client::who;
use crate::edit::basic::Credentials;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "token.client-auth",
    rows: &["E-05"],
    summary: "a client authenticates twice, in a way that the metadata do not list, or with an empty secret",
    why: "Servers must refuse two methods in one request, and take only those that they list. The TypeScript SDK, the \
          Python SDK and rmcp choose differently, and some send the empty secret of a public client.",
    hits: "Claude (always in the form), rmcp, Codex, Python SDK, every client with a secret at a server that takes one \
           method alone",
    stops: who::CLAUDE.and(who::RUST).and(who::PYTHON),
    remedy: "The same id and secret in header and form: one of them, as the metadata list it. One method listed and \
             the other used: moved. An empty secret: only `client_id` in the form. What differs is left alone.",
    advice: "Accept client_secret_basic and client_secret_post, and list both in the metadata.",
    basis: &[basis::CLIENT_SECRET, basis::ONE_METHOD],
    default: Mode::Fix,
    on: &[Class::Token, Class::Revoke],
    gate: &[&[Feature::Post]],
    hook: Hook::Request { needs: Needs::Form, when: |request| request.method == Method::POST, run, goes_on: false },
    examples: &[
        Example {
            note: "only Basic is listed",
            site: SiteKind::Confidential,
            request: "POST /token\n\ngrant_type=authorization_code&client_id=a%3Ab&client_secret=p%25q",
            reply: "",
            then: Then::Becomes(
                "POST /token\nAuthorization: Basic YSUzQWI6cCUyNXE=\n\ngrant_type=authorization_code&client_id=a%3Ab",
            ),
        },
        Example {
            note: "both, and only Basic is listed",
            site: SiteKind::Confidential,
            request: "POST /token\nAuthorization: Basic YTpzMw==\n\nclient_id=a&client_secret=s3&code=c",
            reply: "",
            then: Then::Becomes("POST /token\nAuthorization: Basic YTpzMw==\n\nclient_id=a&code=c"),
        },
        Example {
            note: "both, and nothing is listed",
            site: SiteKind::Open,
            request: "POST /token\nAuthorization: Basic YTpzMw==\n\nclient_id=a&client_secret=s3&code=c",
            reply: "",
            then: Then::Becomes("POST /token\n\nclient_id=a&client_secret=s3&code=c"),
        },
        Example {
            note: "both, and they differ",
            site: SiteKind::Open,
            request: "POST /token\nAuthorization: Basic YTpzMw==\n\nclient_id=a&client_secret=other&code=c",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "a secret that is no text in the form",
            site: SiteKind::Confidential,
            request: "POST /token\n\nclient_id=a&client_secret=%ffs&code=c",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "a secret that is no text in the header",
            site: SiteKind::Open,
            request: "POST /token\nAuthorization: Basic YTolZmY=\n\nclient_id=a&client_secret=%25ff&code=c",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "a public client with an empty secret in the header",
            site: SiteKind::Open,
            request: "POST /token\nAuthorization: Basic YTo=\n\ncode=c",
            reply: "",
            then: Then::Becomes("POST /token\n\ncode=c&client_id=a"),
        },
        Example {
            note: "an empty secret in the form",
            site: SiteKind::Cohosted,
            request: "POST /revoke\n\ntoken=t&client_secret=&client_id=a",
            reply: "",
            then: Then::Becomes("POST /revoke\n\ntoken=t&client_id=a"),
        },
        Example {
            note: "the listed method",
            site: SiteKind::Confidential,
            request: "POST /token\nAuthorization: Basic YTpzMw==\n\ncode=c",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "a public client",
            site: SiteKind::Confidential,
            request: "POST /token\n\ncode=c&client_id=a",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "nothing is listed",
            site: SiteKind::Open,
            request: "POST /token\n\ncode=c&client_id=a&client_secret=s3",
            reply: "",
            then: Then::Sound,
        },
    ],
};

/// Where the metadata want the secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Header,
    Form,
}

fn run(site: &Site<'_>, request: &Request) -> Outcome {
    let Some(form) = request.form() else { return Outcome::Sound };
    let Ok(header) = in_header(&request.headers) else { return Outcome::Sound };
    let count = |wanted: &str| params::all(form).filter(|(name, _)| name == wanted).count();
    if count("client_assertion") > 0 || count("client_id") > 1 || count("client_secret") > 1 {
        return Outcome::Sound;
    }
    let Some(posted) = Credentials::of_form(form) else { return Outcome::Sound };
    // Of the revocation endpoint the metadata say it apart (RFC 8414 section 2).
    let listed = if request.class == Class::Token { listed(site.known.auth_methods.as_deref()) } else { None };
    if let Some(header) = header {
        return with_header(request, form, &header, &posted, listed);
    }
    if posted.secret.is_empty() {
        return without_empty_secret(request, form);
    }
    match posted.write() {
        Some(value) if listed == Some(Place::Header) && !posted.id.is_empty() => {
            let mut edits = Edits::new();
            edits.set(AUTHORIZATION, value);
            if let Some(rest) = params::without(form, "client_secret") {
                edits.fields(rest);
            }
            Outcome::mended("the secret is in the form, and only client_secret_basic is listed", edits)
        }
        _ => Outcome::Sound,
    }
}

fn with_header(
    request: &Request,
    form: &str,
    header: &Credentials,
    posted: &Credentials,
    listed: Option<Place>,
) -> Outcome {
    let meant = header.meant();
    if !posted.id.is_empty() && posted.id != header.id && posted.id != meant.id {
        return Outcome::Sound;
    }
    if meant.secret.is_empty() {
        if !posted.secret.is_empty() {
            return Outcome::Sound;
        }
        let rest = params::without(form, "client_secret");
        let named = named_in(rest.as_deref().unwrap_or(form), &meant.id);
        return Outcome::mended("an empty secret in the header", in_form_alone(named));
    }
    if posted.secret.is_empty() {
        if listed == Some(Place::Form) {
            let edits = in_form_alone(posted_in(form, &meant));
            return Outcome::mended("the secret is in the header, and only client_secret_post is listed", edits);
        }
        return without_empty_secret(request, form);
    }
    let same =
        |client: &&Credentials| client.secret == posted.secret && (posted.id.is_empty() || client.id == posted.id);
    let Some(client) = [header, &meant].into_iter().find(same) else { return Outcome::Sound };
    let edits = if listed == Some(Place::Header) {
        beside_header(request, params::without(form, "client_secret"))
    } else {
        in_form_alone(named_in(form, &client.id))
    };
    Outcome::mended("the client authenticates in two ways at once", edits)
}

/// An empty secret is none (RFC 6749 sections 2.3.1 and 3.1).
fn without_empty_secret(request: &Request, form: &str) -> Outcome {
    match params::without(form, "client_secret") {
        Some(rest) => Outcome::mended("an empty secret in the form", beside_header(request, Some(rest))),
        None => Outcome::Sound,
    }
}

/// The credentials are in this form, and no longer in the header.
fn in_form_alone(form: String) -> Edits {
    let mut edits = Edits::new();
    edits.remove(AUTHORIZATION);
    edits.fields(form);
    edits
}

/// The form is this one, and the header stays, if there is one.
fn beside_header(request: &Request, form: Option<String>) -> Edits {
    let mut edits = Edits::new();
    if let Some(form) = form {
        edits.fields(form);
    }
    if let Some(value) = request.headers.get(AUTHORIZATION) {
        let mut value = value.clone();
        // No table of header compression is to keep it (RFC 7541 section 7.1.3).
        value.set_sensitive(true);
        edits.set(AUTHORIZATION, value);
    }
    edits
}

/// The form with the client's id and secret in it.
pub(super) fn posted_in(form: &str, client: &Credentials) -> String {
    let rest = params::without(form, "client_secret");
    let form = named_in(rest.as_deref().unwrap_or(form), &client.id);
    params::with(&form, "client_secret", &client.secret)
}

/// The form with this `client_id` in it.
fn named_in(form: &str, id: &str) -> String {
    if params::get(form, "client_id").is_some_and(|have| have == id) {
        return form.to_owned();
    }
    let rest = params::without(form, "client_id");
    params::with(rest.as_deref().unwrap_or(form), "client_id", id)
}

/// The credentials in the header, if there are any.
///
/// # Errors
/// There is something in the header that is none of our business.
pub(super) fn in_header(headers: &HeaderMap) -> Result<Option<Credentials>, ()> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(None),
        (Some(line), None) => Credentials::read(line).filter(Credentials::are_text).map(Some).ok_or(()),
        _ => Err(()),
    }
}

/// The one place that the metadata list, if it is one (RFC 8414 section 2).
fn listed(methods: Option<&[String]>) -> Option<Place> {
    let lists = |method: &str| methods.is_some_and(|methods| methods.iter().any(|listed| listed == method));
    match (lists("client_secret_basic"), lists("client_secret_post")) {
        (true, false) => Some(Place::Header),
        (false, true) => Some(Place::Form),
        _ => None,
    }
}
