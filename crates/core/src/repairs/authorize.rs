//! The authorization endpoint (RFC 6749 section 3.1), and the login's later pages where the upstream logs in itself.
//!
//! Error pages are left alone: they are what the user has to read.

pub mod elsewhere_foreign;
pub mod form_action;
pub mod fragment;
pub mod iss_missing;
pub mod method_kept;
pub mod parameter_refused;
mod refusal;
pub mod resource_refused;
pub mod scope_form;
pub mod scope_refused;
pub mod state_lost;

use http::header::LOCATION;
use http::{HeaderValue, Method};
use url::Url;

use crate::edit::origin::Origin;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::{Ask, Reply, Request, Site};

/// A URL as it is written, cut in three.
struct Cut<'a> {
    before: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Cut<'a> {
    fn of(url: &'a str) -> Self {
        let (url, fragment) = url.split_once('#').map_or((url, None), |(url, fragment)| (url, Some(fragment)));
        let (before, query) = url.split_once('?').map_or((url, None), |(before, query)| (before, Some(query)));
        Self { before, query, fragment }
    }

    fn with_query(&self, query: &str) -> String {
        let fragment = self.fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
        format!("{}?{query}{fragment}", self.before)
    }
}

/// Whether a query or fragment is an authorization response (RFC 6749 sections 4.1.2 and 4.1.2.1).
fn is_response(text: &str) -> bool {
    params::has(text, "code") || params::has(text, "error")
}

fn is_redirect(reply: &Reply) -> bool {
    matches!(reply.status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect leads, if it leads to one place.
fn location(reply: &Reply) -> Option<&str> {
    let mut lines = reply.headers.get_all(LOCATION).iter();
    let first = lines.next().filter(|_| is_redirect(reply))?;
    first.to_str().ok().filter(|_| lines.next().is_none())
}

/// Sends the browser elsewhere; `None` if that cannot be written.
fn set_location(location: &str) -> Option<Edits> {
    let mut edits = Edits::new();
    edits.set(LOCATION, HeaderValue::from_str(location).ok()?);
    Some(edits)
}

/// Whether a redirect leads away from the site: to a client. Relative ones are the upstream's own.
fn leads_to_client(site: &Site<'_>, location: &str) -> bool {
    let target = Url::parse(site.issuer()).and_then(|base| base.join(location));
    target.is_ok_and(|url| !Origin::of_url(&url).is_ok_and(|origin| site.owns_origin(&origin)))
}

/// An authorization response in a redirect URL, with our issuer for the `iss` that clients were promised (RFC 9207 section
/// 2); `None` where none was promised, where there is one, and for what is no response. `is_answer`: it leads to where the
/// request asked to be answered; elsewhere only `state` tells a response from a page that is shown an error.
pub(in crate::repairs) fn with_promised_iss(site: &Site<'_>, location: &str, is_answer: bool) -> Option<String> {
    if !site.has_own_authorization_server() || !site.known.has_iss_promised() {
        return None;
    }
    let cut = Cut::of(location);
    let query = cut.query.filter(|query| is_response(query) && (is_answer || params::has(query, "state")))?;
    let is_there = [Some(query), cut.fragment].into_iter().flatten().any(|text| params::has(text, "iss"));
    (!is_there && leads_to_client(site, location)).then(|| cut.with_query(&params::with(query, "iss", site.issuer())))
}

/// Whether a redirect leads to where this very request asked to be answered: same scheme, host, port and path. Never
/// to the site itself, whose addresses `identity.location` changes.
fn leads_back(site: &Site<'_>, request: &Request, location: &str) -> bool {
    let wanted = request.query().and_then(|query| params::only(query, "redirect_uri"));
    let (Some(Ok(wanted)), Ok(url)) = (wanted.map(|uri| Url::parse(&uri)), Url::parse(location)) else {
        return false;
    };
    let parts = |url: &Url| {
        let host = url.host_str().map(str::to_owned);
        let user = (url.username().to_owned(), url.password().map(str::to_owned));
        (url.scheme().to_owned(), user, host, url.port_or_known_default(), url.path().to_owned())
    };
    parts(&wanted) == parts(&url) && leads_to_client(site, location)
}

/// A browser's GET of the authorization endpoint: the only one that is ever put a second time.
fn is_get(request: &Request) -> bool {
    request.class == Class::Authorize && request.method == Method::GET
}

/// The same request with another query.
fn ask_with(request: &Request, query: &str) -> Ask {
    if query.is_empty() { Ask::at(request.path()) } else { Ask::at(format!("{}?{query}", request.path())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use crate::repair::SiteKind;

    #[test]
    fn knows_the_way_back() {
        let (facts, known) = (example::facts(SiteKind::Cohosted), example::knowledge(SiteKind::Cohosted));
        let site = Site { facts: &facts, known: &known };
        for (redirect_uri, location, back) in [
            ("https://c.example/cb", "https://c.example/cb?code=1", true),
            ("https://c.example/cb", "HTTPS://C.example:443/cb#code=1", true),
            ("http://127.0.0.1:9/cb", "http://127.0.0.1:9/cb", true),
            ("http://127.0.0.1:9/cb", "http://localhost:9/cb", false),
            ("http://127.0.0.1:9/cb", "http://127.0.0.1:8/cb", false),
            ("https://c.example/cb", "https://c.example/cb/", false),
            ("https://c.example/cb", "http://c.example/cb", false),
            ("https://c.example/cb", "https://c.example.evil.example/cb", false),
            ("https://c.example/cb", "https://u@c.example/cb", false),
            ("https://c.example/cb", "/cb?code=1", false),
            ("cursor://a/cb", "cursor://a/cb?code=1", true),
            ("app:/cb", "app:/cb?code=1", true),
            ("app:/cb", "other:/cb?code=1", false),
            // The site's own.
            ("https://mcp.example.com/cb", "https://mcp.example.com/cb?code=1", false),
            ("http://localhost:3000/cb", "http://127.0.0.1:3000/cb?code=1", false),
        ] {
            let query = params::with("client_id=a", "redirect_uri", redirect_uri);
            let request = example::request(&format!("GET /authorize?{query}"), &facts, &known).unwrap();
            assert_eq!(leads_back(&site, &request, location), back, "{redirect_uri} {location}");
        }
        let twice = "GET /authorize?redirect_uri=https://c.example/cb&redirect_uri=https://d.example/cb";
        let request = example::request(twice, &facts, &known).unwrap();
        assert!(!leads_back(&site, &request, "https://c.example/cb"));
    }
}
