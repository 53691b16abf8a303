//! A small HTTP client: one connection for each request, no redirects followed, nothing kept. It shows what came.

mod open;

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::Value;

use self::open::Open;

/// How long one request may take: what hosted clients grant a server while they log in.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than any answer that a check reads.
const LONGEST_BODY: usize = 256 * 1024;

/// The address that is asked.
#[derive(Clone, Debug)]
pub(super) struct Base {
    origin: String,
    authority: String,
}

/// A request on its way.
pub(super) struct Ask<'a> {
    base: &'a Base,
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

/// A whole answer, with what was asked.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Where it was asked, `http://HOST:PORT`.
    pub origin: String,
    /// Method and path.
    pub line: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whether the body came to its end while it was read.
    pub ended: bool,
}

impl Base {
    /// The base of an `http://HOST:PORT` address, with or without a slash behind it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let origin = text.strip_suffix('/').unwrap_or(text);
        let authority = origin.strip_prefix("http://")?;
        let plain = !authority.is_empty() && !authority.contains(['/', '?', '#', '@']);
        plain.then(|| Self { origin: origin.to_owned(), authority: authority.to_owned() })
    }

    /// Without a slash at the end.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Path and query of a URL here; `None` for a relative one or another host's.
    pub(super) fn target<'a>(&self, url: &'a str) -> Option<&'a str> {
        match url.strip_prefix(&self.origin)? {
            "" => Some("/"),
            rest => rest.starts_with('/').then_some(rest),
        }
    }

    /// A request to path and query.
    pub(super) fn ask(&self, method: Method, target: &str) -> Ask<'_> {
        Ask { base: self, method, target: target.to_owned(), headers: HeaderMap::new(), body: Bytes::new() }
    }
}

impl Ask<'_> {
    /// With a header field. One that is none is left out, and the answer will show it.
    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Without a header field.
    pub(super) fn without(mut self, name: HeaderName) -> Self {
        self.headers.remove(name);
        self
    }

    /// With these bytes.
    pub(super) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// With a JSON body.
    pub(super) fn json(self, body: &Value) -> Self {
        self.body(body.to_string()).header(CONTENT_TYPE, "application/json")
    }

    /// With a form.
    pub(super) fn form(self, fields: &[(&str, &str)]) -> Self {
        self.body(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
    }

    /// Asks, and reads the answer to its end.
    pub(super) async fn send(self) -> Result<Answer, String> {
        self.within(PATIENCE).await
    }

    /// Asks, and waits for the head of the answer.
    pub(super) async fn open(self) -> Result<Open, String> {
        in_time(PATIENCE, self.begin()).await
    }

    async fn within(self, patience: Duration) -> Result<Answer, String> {
        in_time(patience, async { self.begin().await?.whole().await }).await
    }

    async fn begin(self) -> Result<Open, String> {
        let path = self.target.split('?').next().unwrap_or_default();
        let (origin, line) = (self.base.origin.clone(), format!("{} {path}", self.method));
        let mut request = Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.target.parse().map_err(|_| "not a path to ask for".to_owned())?;
        *request.headers_mut() = self.headers;
        let host = HeaderValue::from_str(&self.base.authority).map_err(|_| "not a host to ask".to_owned())?;
        request.headers_mut().insert(HOST, host);
        request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        Open::begin(&self.base.authority, request, origin, line).await
    }
}

async fn in_time<T>(patience: Duration, what: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let in_time = tokio::time::timeout(patience, what).await;
    in_time.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

impl Answer {
    /// The field's value, if there is exactly one that is text.
    pub(super) fn only(&self, name: HeaderName) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(first)
    }

    /// Whether a list field has this member, in any case.
    pub(super) fn lists(&self, name: HeaderName, member: &str) -> bool {
        let lines = self.headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).any(|have| have.trim().eq_ignore_ascii_case(member))
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.body).map_err(|_| format!("{} without JSON", self.status.as_u16()))
    }

    /// Nothing, if it is this status; else the status that came and the error that its body names.
    pub(super) fn expect(&self, status: StatusCode) -> Result<(), String> {
        if self.status == status {
            return Ok(());
        }
        let error = self.json().ok().and_then(|body| body["error"].as_str().map(|error| format!(" {error}")));
        Err(format!("{}{}", self.status.as_u16(), error.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_here_or_not() {
        let base = Base::parse("http://127.0.0.1:8/").unwrap();
        assert_eq!(base.origin(), "http://127.0.0.1:8");
        assert_eq!(base.target("http://127.0.0.1:8/a?b"), Some("/a?b"));
        assert_eq!(base.target("http://127.0.0.1:8"), Some("/"));
        for elsewhere in ["http://127.0.0.1:80/a", "http://127.0.0.1:8@h/a", "https://127.0.0.1:8/a", "/a", ""] {
            assert_eq!(base.target(elsewhere), None, "{elsewhere}");
        }
        for wrong in ["https://127.0.0.1:8", "127.0.0.1:8", "http://", "http://h/x", "http://u@h"] {
            assert!(Base::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_field_is_read_as_a_browser_reads_it() {
        let mut headers = HeaderMap::new();
        headers.append("vary", HeaderValue::from_static("Accept, origin"));
        headers.append("vary", HeaderValue::from_static("X"));
        headers.append("allow", HeaderValue::from_static("GET"));
        let body = Bytes::from_static(b"{\"error\":\"no\"}");
        let answer =
            Answer { origin: String::new(), line: String::new(), status: StatusCode::OK, headers, body, ended: true };
        assert!(answer.lists(http::header::VARY, "Origin") && answer.lists(http::header::VARY, "x"));
        assert_eq!((answer.only(http::header::VARY), answer.only(http::header::ALLOW)), (None, Some("GET")));
        assert_eq!(answer.expect(StatusCode::CREATED), Err("200 no".to_owned()));
    }

    #[tokio::test]
    async fn nobody_there_is_no_answer() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let base = Base::parse(&format!("http://{address}")).unwrap();
        assert_eq!(base.ask(Method::GET, "/").send().await.unwrap_err(), "no connection");
    }

    #[tokio::test]
    async fn silence_ends() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Base::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let patience = Duration::from_millis(20);
        assert_eq!(base.ask(Method::GET, "/").within(patience).await.unwrap_err(), "no answer in time");
    }
}
