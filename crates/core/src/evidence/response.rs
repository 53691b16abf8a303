//! What answers of the authorization server say about lessons.

use http::header::{AUTHORIZATION, LOCATION};
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use crate::edit::origin::Origin;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::{Reply, Request, RequestBody, Site};
use crate::lesson::{Heard, Lesson};

/// How often a text may be encoded, one coding around the other, and still be read.
const MOST_CODINGS: usize = 4;
/// A code shorter than this may stand in any text by chance.
const SHORT_CODE: usize = 8;

/// What a request brought along that may come back in the answer: its target, its fields and its form, decoded as often as
/// a server might. It holds secrets: it lives as long as the exchange, and nothing of it is written.
pub struct Brought {
    /// The texts, each in every stage of decoding.
    texts: Vec<String>,
    /// Whether all of it is known.
    is_whole: bool,
}

impl Brought {
    /// Of a request whose answer may be an authorization response: one to the authorization endpoint, or the POST of a
    /// form of the login. `None` for any other, and where the upstream is no authorization server.
    #[must_use]
    pub fn by(site: &Site<'_>, request: &Request) -> Option<Self> {
        let is_post = request.method == Method::POST;
        let may_answer = request.class == Class::Authorize || (request.class == Class::Other && is_post);
        if !may_answer || !site.has_own_authorization_server() {
            return None;
        }
        let mut texts = Vec::new();
        let fields = request.headers.iter().filter(|(name, _)| **name != AUTHORIZATION);
        let fields = fields.filter_map(|(_, value)| value.to_str().ok());
        for text in std::iter::once(request.target.as_str()).chain(fields).chain(request.form()) {
            decode_into(&mut texts, text);
        }
        let is_whole = !is_post || matches!(request.body, RequestBody::Form(_));
        Some(Self { texts, is_whole })
    }

    /// Whether the request has a parameter of this name, at any depth.
    fn names(&self, name: &str) -> bool {
        let is_part = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        self.texts.iter().any(|text| {
            text.match_indices(name).any(|(at, _)| {
                let before = text[..at].bytes().next_back().is_none_or(|b| !is_part(b));
                before && text[at + name.len()..].starts_with('=')
            })
        })
    }

    fn holds(&self, value: &str) -> bool {
        value.len() >= SHORT_CODE && self.texts.iter().any(|text| text.contains(value))
    }
}

/// The text in every stage of decoding, until it stays the same.
fn decode_into(texts: &mut Vec<String>, text: &str) {
    let mut text = text.to_owned();
    for _ in 0..MOST_CODINGS {
        let decoded = percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let is_last = decoded == text;
        texts.push(std::mem::replace(&mut text, decoded));
        if is_last {
            return;
        }
    }
    texts.push(text);
}

/// What an answer of the authorization server says, as it came from the upstream.
#[must_use]
pub fn heard(site: &Site<'_>, brought: &Brought, request: &Request, reply: &Reply) -> Option<Heard> {
    if reply.status.is_redirection() {
        let mut lines = reply.headers.get_all(LOCATION).iter();
        let to = lines.next().filter(|_| lines.next().is_none())?.to_str().ok()?;
        return returned(site, brought, to).or_else(|| responded(site, brought, request, to));
    }
    document(site, request, reply)
}

/// The proxy's own callback at another host's server (a broker), on an address that is not the public one.
fn returned(site: &Site<'_>, brought: &Brought, to: &str) -> Option<Heard> {
    let (_, query) = to.split_once('?')?;
    let query = query.split('#').next().unwrap_or(query);
    let back = params::get(query, "redirect_uri")?;
    let is_own = Origin::of(&back).is_ok_and(|back| back != site.facts.public && site.owns_origin(&back));
    if !is_own || site.owns(to) || to.starts_with('/') {
        return None;
    }
    if !brought.is_whole || brought.holds(&back) {
        return Some(Heard::Nothing(Lesson::ReturnsDirectly, "the request may have brought the address along"));
    }
    let evidence = "a redirect to another host with a redirect_uri of the upstream's own";
    Some(Heard::Evidence(Lesson::ReturnsDirectly, evidence.into(), None))
}

/// An authorization response: whether it carries `iss`.
fn responded(site: &Site<'_>, brought: &Brought, request: &Request, to: &str) -> Option<Heard> {
    let (before, fragment) = to.split_once('#').map_or((to, ""), |(before, fragment)| (before, fragment));
    let (target, query) = before.split_once('?')?;
    if target.starts_with('/') || site.owns(target) || !params::has(query, "code") {
        return None;
    }
    let nothing = |reason| Some(Heard::Nothing(Lesson::SendsIss, reason));
    if [query, fragment].iter().any(|part| params::has(part, "error")) {
        return nothing("the response is an error");
    }
    let (code, state) = (params::only(query, "code"), params::only(query, "state"));
    let Some(code) = code.filter(|code| !code.is_empty() && state.is_some()) else {
        return nothing("the response has not one code and one state");
    };
    if !brought.is_whole || ["code", "iss"].iter().any(|name| brought.names(name)) || brought.holds(&code) {
        return nothing("the request may have brought it along");
    }
    // An issuer that no metadata name is the proxy's own guess.
    let own = site.known.issuer.as_deref().filter(|_| site.known.server_metadata_path.is_some());
    match params::only(query, "iss") {
        Some(_) if !is_named_plainly(request, target) => nothing("the redirect URI may have brought it along"),
        Some(iss) if Some(&*iss) == own => {
            let evidence = "an authorization response with a code and the issuer of the metadata as iss";
            Some(Heard::Evidence(Lesson::SendsIss, evidence.into(), None))
        }
        _ => nothing("iss is not the issuer of the metadata"),
    }
}

/// Whether an authorization request itself says where the response goes, without a query. A redirect URI that was
/// registered may have an `iss` of the client's own in its query, and where the request names none, or where a later form
/// is answered, nobody can tell that from the server's. A server compares them as strings (RFC 9700 section 2.1).
fn is_named_plainly(request: &Request, target: &str) -> bool {
    let query = request.query().filter(|_| request.method == Method::GET && request.class == Class::Authorize);
    query.is_some_and(|query| {
        params::only(query, "redirect_uri").is_some_and(|uri| uri == target)
            && ["client_id", "response_type"].iter().all(|name| params::only(query, name).is_some())
    })
}

/// A client with a document was answered: a refusal, and what contradicts one, are reasons to ask.
fn document(site: &Site<'_>, request: &Request, reply: &Reply) -> Option<Heard> {
    let client = request.query().and_then(|query| params::get(query, "client_id"))?;
    if request.class != Class::Authorize || !client.starts_with("https://") {
        return None;
    }
    // 400 and 401 refuse the client; a page that is not there, or a server that is down, says nothing of it.
    let refused = matches!(reply.status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED);
    let contradicts = site.known.refuses_documents && reply.status.is_success();
    (refused || contradicts).then_some(Heard::Question(Lesson::RefusesDocuments))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use crate::repair::SiteKind;

    const ISS: &str = "http%3A%2F%2Flocalhost%3A3000";

    fn say(request: &str, reply: &str) -> Option<Heard> {
        let (facts, known) = (example::facts(SiteKind::Cohosted), example::knowledge(SiteKind::Cohosted));
        let site = Site { facts: &facts, known: &known };
        let request = example::request(request, &facts, &known).unwrap();
        let brought = Brought::by(&site, &request)?;
        heard(&site, &brought, &request, &example::reply(reply).unwrap())
    }

    fn is_evidence(heard: Option<&Heard>) -> bool {
        matches!(heard, Some(Heard::Evidence(..)))
    }

    #[test]
    fn a_success_with_the_own_issuer_is_evidence() {
        let to = format!("302\nLocation: https://c.example/cb?code=abcdefgh12&state=s&iss={ISS}");
        let plain = "client_id=a&response_type=code&redirect_uri=https%3A%2F%2Fc.example%2Fcb&state=s&code_challenge=x\
                     &resource=http%3A%2F%2Flocalhost%3A3000%2Fmcp";
        assert!(is_evidence(say(&format!("GET /authorize?{plain}"), &to).as_ref()));
        // A registered redirect URI may have brought it: the request names none, another, or it is not what the endpoint reads.
        for request in [
            "GET /authorize?client_id=a&response_type=code&state=s".to_owned(),
            "GET /authorize?client_id=a&response_type=code&redirect_uri=https%3A%2F%2Fc.example%2Fother&state=s"
                .to_owned(),
            "GET /authorize?redirect_uri=https%3A%2F%2Fc.example%2Fcb&transaction=1".to_owned(),
            format!("POST /authorize?{plain}\n\napprove=yes"),
            format!("POST /consent\nReferer: http://localhost:3000/authorize?{plain}\n\n{plain}&approve=yes"),
            "POST /consent\n\napprove=yes".to_owned(),
        ] {
            let heard = say(&request, &to);
            assert!(matches!(heard, Some(Heard::Nothing(Lesson::SendsIss, _))), "{request}: {heard:?}");
        }
    }

    #[test]
    fn what_the_caller_may_have_caused_is_no_evidence() {
        let good = format!("302\nLocation: https://c.example/cb?code=abcdefgh12&state=s&iss={ISS}");
        let plain = "GET /authorize?client_id=a&response_type=code&redirect_uri=https%3A%2F%2Fc.example%2Fcb&state=s";
        let with = |rest: &str| format!("302\nLocation: https://c.example/cb?{rest}");
        for (request, reply) in [
            // Its redirect URI brings the response along, encoded once or more.
            (
                "GET /authorize?redirect_uri=https%3A%2F%2Fc.example%2Fcb%3Fcode%3Dabcdefgh12%26state%3Ds%26iss%3Dx",
                &good,
            ),
            ("GET /authorize?next=https%253A%252F%252Fc.example%252Fcb%253Fiss%253Dx", &good),
            ("GET /authorize?x=abcdefgh12", &good),
            ("GET /authorize?client_id=a\nCookie: next=https%3A%2F%2Fc.example%2Fcb%3Fcode%3D1", &good),
            ("POST /back\nReferer: https://c.example/cb?code=abcdefgh12&state=s&iss=x\n\na=b", &good),
            ("POST /login\n\nnext=https%3A%2F%2Fc.example%2Fcb%3Fcode%3Dabcdefgh12%26iss%3Dx", &good),
            // Nobody knows what it brought.
            ("POST /login\nContent-Type: multipart/form-data", &good),
            ("POST /login\n\n{\"next\":\"x\"}", &good),
            (plain, &with(&format!("code=abcdefgh12&state=s&iss={ISS}&error=access_denied"))),
            (plain, &with(&format!("code=abcdefgh12&state=s&iss={ISS}#error=access_denied"))),
            (plain, &with(&format!("code=abcdefgh12&iss={ISS}"))),
            (plain, &with(&format!("code=abcdefgh12&code=b&state=s&iss={ISS}"))),
            (plain, &with(&format!("code=abcdefgh12&state=s&iss={ISS}&iss={ISS}"))),
            (plain, &with("code=abcdefgh12&state=s&iss=x")),
            (plain, &with(&format!("code=abcdefgh12&state=s&iss={ISS}%2F"))),
        ] {
            let heard = say(request, reply);
            assert!(matches!(heard, Some(Heard::Nothing(Lesson::SendsIss, _))), "{request} {reply}: {heard:?}");
        }
        // An open redirect, an error, a page of the upstream's own.
        for (request, reply) in [
            ("GET /go?to=x", good.as_str()),
            (plain, &with(&format!("error=access_denied&state=s&iss={ISS}"))),
            (plain, &format!("302\nLocation: /cb?code=abcdefgh12&state=s&iss={ISS}")),
            (plain, &format!("302\nLocation: http://localhost:3000/cb?code=abcdefgh12&state=s&iss={ISS}")),
        ] {
            assert_eq!(say(request, reply), None, "{request} {reply}");
        }
    }

    #[test]
    fn a_way_back_past_the_proxy_is_seen_unless_the_request_brought_it() {
        let back = "http%3A%2F%2Flocalhost%3A3000%2Fcallback";
        let to = format!("302\nLocation: https://login.example.net/?client_id=b&redirect_uri={back}");
        assert!(is_evidence(say("GET /authorize?client_id=a", &to).as_ref()));
        let nested = "redirect_uri=https%3A%2F%2Flogin.example.net%2F%3Fredirect_uri%3Dhttp%253A%252F%252Flocalhost%253A3000%252Fcallback";
        for request in [format!("GET /authorize?{nested}"), format!("GET /authorize?redirect_uri={back}")] {
            let heard = say(&request, &to);
            assert!(matches!(heard, Some(Heard::Nothing(Lesson::ReturnsDirectly, _))), "{request}: {heard:?}");
        }
    }

    #[test]
    fn a_refused_document_is_a_question() {
        let document = "GET /authorize?client_id=https%3A%2F%2Fc.example%2Fid.json";
        for (request, reply, asks) in [
            (document, "400\n\nno", true),
            (document, "401\n\nno", true),
            (document, "500\n\nno", false),
            (document, "200\nContent-Type: text/html\n\n<form>", false),
            ("GET /authorize?client_id=a", "400\n\nno", false),
        ] {
            let heard = say(request, reply);
            assert_eq!(heard == Some(Heard::Question(Lesson::RefusesDocuments)), asks, "{request} {reply}");
        }
    }
}
