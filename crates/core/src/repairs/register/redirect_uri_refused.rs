//! D-16, field report 11: one of several redirect URIs is refused, and with it the whole registration.

use serde_json::json;
use url::Url;

use super::{HOSTED_CALLBACKS, asked_for, is_refused_for_content, reduce, refusal};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Ask, Outcome, Reply, Request, RequestBody, Site};
use crate::knowledge::strings;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "register.redirect-uri-refused",
    rows: &["D-16"],
    summary: "a registration is refused for one of its redirect URIs",
    why: "Cursor registers three: one of its own scheme, one on the web, one on loopback. Servers that take only some \
          kinds refuse them all, and the client never gets to a login.",
    hits: "Cursor, VS Code, command line clients",
    stops: who::CURSOR.and(who::VSCODE),
    remedy: "Sends it once more without the URIs that the refusal names, or else without those of a private scheme, \
             or else without those of plain http. Nothing is added, the list is never empty, and the answer lists \
             what was registered.",
    advice: "Take every redirect URI that RFC 8252 allows to native apps.",
    basis: &[basis::NATIVE_REDIRECTS],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post], &[Feature::BadRequest, Feature::OtherClientError]],
    hook: Hook::Reply { needs: Needs::Body, when: is_refused_for_content, run },
    examples: &[
        Example {
            note: "named by its place",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"cursor://anysphere.cursor-mcp/oauth/callback\",\
                      \"https://www.cursor.com/agents/mcp/oauth/callback\",\"http://localhost:8787/callback\"]}",
            reply: "400\nContent-Type: application/json\n\n{\"message\":\"redirect_uris.0 is not a valid URL\"}",
            then: Then::Asks(
                "POST /register\n\n{\"redirect_uris\":[\
                 \"https://www.cursor.com/agents/mcp/oauth/callback\",\"http://localhost:8787/callback\"]}",
            ),
        },
        Example {
            note: "none named: the private scheme goes first",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\",\"cursor://cb\"]}",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_redirect_uri\"}",
            then: Then::Asks("POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"]}"),
        },
        Example {
            note: "only https is taken",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n\
                      {\"redirect_uris\":[\"http://localhost:1/cb\",\"cursor://cb\",\"https://a.example/cb\"]}",
            reply: "422\nContent-Type: text/plain\n\nEvery redirect URI must use HTTPS",
            then: Then::Asks("POST /register\n\n{\"redirect_uris\":[\"https://a.example/cb\"]}"),
        },
        Example {
            note: "the only one",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"cursor://cb\"]}",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_redirect_uri\"}",
            then: Then::Sound,
        },
        Example {
            note: "all of a kind",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"https://a.example/1\",\"https://a.example/2\"]}",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_redirect_uri\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let (Some(words), Some(asked)) = (refusal::words(reply), request.json()) else { return Outcome::Sound };
    let uris = asked_for(request, "redirect_uris");
    let dropped = dropped(&words, &uris, &sent(request));
    if dropped.is_empty() || dropped.len() >= uris.len() {
        return Outcome::Sound;
    }
    let kept: Vec<&String> = (0..uris.len()).filter(|at| !dropped.contains(at)).map(|at| &uris[at]).collect();
    let mut body = asked.clone();
    body.set("redirect_uris", json!(kept));
    reduce::ease(&mut body, &words);
    Outcome::again("one of several redirect URIs is refused", Ask::with_json(body))
}

/// What the client sent itself.
fn sent(request: &Request) -> Vec<String> {
    match &request.sent {
        RequestBody::Json(sent) => strings(sent.get("redirect_uris")).unwrap_or_default(),
        _ => asked_for(request, "redirect_uris"),
    }
}

/// Places of the URIs to be left out; none if the refusal is about something else.
fn dropped(words: &str, uris: &[String], sent: &[String]) -> Vec<usize> {
    let of = |kind: fn(&str) -> bool| -> Vec<usize> {
        (0..uris.len()).filter(|&at| Url::parse(&uris[at]).is_ok_and(|uri| kind(uri.scheme()))).collect()
    };
    let named = refusal::named_uris(words, uris);
    if !named.is_empty() && named.len() < uris.len() {
        return with_added(named, uris, sent);
    }
    if !refusal::has(words, &["redirect", "callback"]) {
        return Vec::new();
    }
    let private = of(|scheme| scheme != "http" && scheme != "https");
    let plain = of(|scheme| scheme == "http");
    let secure = uris.len() - private.len() - plain.len();
    let only_https = words.contains("https") && !refusal::has(words, &["localhost", "loopback", "127.0.0.1"]);
    if only_https && secure > 0 {
        return private.into_iter().chain(plain).collect();
    }
    if private.is_empty() { plain } else { private }
}

/// A hosted callback that was added goes with the client's own, and a client that wants both keeps both: it is not
/// served by one alone.
fn with_added(mut named: Vec<usize>, uris: &[String], sent: &[String]) -> Vec<usize> {
    let is_hosted = |at: &usize| HOSTED_CALLBACKS.contains(&uris[*at].as_str());
    let is_own = |at: &usize| sent.contains(&uris[*at]);
    if !named.iter().any(|at| is_hosted(at) && is_own(at)) {
        return named;
    }
    if HOSTED_CALLBACKS.iter().all(|one| sent.iter().any(|own| own == one)) {
        return Vec::new();
    }
    let added = (0..uris.len()).filter(|at| is_hosted(at) && !is_own(at) && !named.contains(at));
    named.extend(added.collect::<Vec<_>>());
    named
}
