//! How a defect gets into the sound server: small functions at well-named seams.

use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use serde_json::Value;

use super::reply::{self, Reply};
use super::streams::Streams;
use super::{bearer, fields};

/// Where the server lets itself be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::demo) enum Seam {
    /// OPTIONS of any path.
    Preflight,
    /// The MCP endpoint, or one of the HTTP+SSE transport, asked without a token that opens it.
    Refused,
    /// The MCP endpoint, asked with one.
    Opened,
    /// The stream of the HTTP+SSE transport, asked with a token.
    Listening,
    /// Where the messages of that transport are posted, asked with a token.
    Sending,
    /// Protected resource metadata, at every place.
    ResourceMetadata,
    /// Authorization server metadata and OpenID configuration, at every place.
    ServerMetadata,
    Register,
    Token,
    /// The authorization endpoint: the consent page, or a redirect with an error.
    Authorize,
    /// What the consent page's button leads to: the redirect with the code.
    Approve,
    /// Every request, whatever its path; changed after all others.
    Anything,
}

impl Seam {
    /// Whether nothing is behind it without a token.
    pub(in crate::demo) fn is_guarded(self) -> bool {
        matches!(self, Self::Opened | Self::Listening | Self::Sending)
    }
}

/// One way in which the server is broken.
#[derive(Debug)]
pub(in crate::demo) enum Change {
    /// Answers before the server reads the request, or lets it go on.
    Before(Seam, fn(&Asked<'_>) -> Option<Reply>),
    /// Takes another form of the body than the sound server does; `None` leaves it.
    Body(Seam, fn(&Asked<'_>) -> Option<String>),
    /// Takes other header fields than those that came; `None` leaves them.
    Head(Seam, fn(&Asked<'_>) -> Option<HeaderMap>),
    /// Changes the JSON document of a success.
    Document(Seam, fn(&Asked<'_>, &mut Value)),
    /// Changes any answer.
    After(Seam, fn(&Asked<'_>, Reply) -> Reply),
    /// What is at the second path is at the first one too.
    Also(&'static str, &'static str),
}

/// A request as a change sees it.
#[derive(Clone, Copy, Debug)]
pub(in crate::demo) struct Asked<'a> {
    /// Where the server believes to be, `http://127.0.0.1:PORT`.
    pub(in crate::demo) origin: &'a str,
    pub(in crate::demo) head: &'a Parts,
    pub(in crate::demo) body: &'a [u8],
    pub(in crate::demo) streams: &'a Streams,
}

impl Asked<'_> {
    pub(in crate::demo) fn path(&self) -> &str {
        self.head.uri.path()
    }

    /// The bearer token that came, good or bad.
    pub(in crate::demo) fn bearer(&self) -> Option<&str> {
        bearer(self.head)
    }

    /// Whether the body came as this media type, whatever its parameters.
    pub(in crate::demo) fn is(&self, kind: &str) -> bool {
        let value = self.head.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let value = value.and_then(|value| value.split(';').next()).unwrap_or_default();
        value.trim().eq_ignore_ascii_case(kind)
    }

    /// A field of the form in the body.
    pub(in crate::demo) fn form(&self, name: &str) -> Option<String> {
        super::field(&fields(self.body), name)
    }

    /// A parameter of the query.
    pub(in crate::demo) fn query(&self, name: &str) -> Option<String> {
        super::field(&fields(self.head.uri.query().unwrap_or_default().as_bytes()), name)
    }

    /// A header field, as text.
    pub(in crate::demo) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// Whether it is asked with this method of HTTP.
    pub(in crate::demo) fn by(&self, method: &Method) -> bool {
        self.head.method == *method
    }

    /// Whether it is a message that wants an answer.
    pub(in crate::demo) fn wants_answer(&self) -> bool {
        let message = self.json();
        self.by(&Method::POST) && message["method"].is_string() && message.get("id").is_some()
    }

    /// Whether it is a message that wants none.
    pub(in crate::demo) fn notifies(&self) -> bool {
        self.by(&Method::POST) && self.json()["method"].is_string() && !self.wants_answer()
    }

    /// Whether it is a message of this method.
    pub(in crate::demo) fn calls(&self, method: &str) -> bool {
        self.by(&Method::POST) && self.json()["method"] == method
    }

    /// The body as JSON; null if it is none.
    pub(in crate::demo) fn json(&self) -> Value {
        serde_json::from_slice(self.body).unwrap_or_default()
    }
}

/// Every change of a running server, in the order in which its defects were named.
#[derive(Debug, Default)]
pub(in crate::demo) struct Changes(pub(in crate::demo) Vec<&'static Change>);

impl Changes {
    /// The path that this one stands for.
    pub(in crate::demo) fn stands_for<'a>(&self, path: &'a str) -> &'a str {
        let also = self.0.iter().find_map(|change| match change {
            Change::Also(at, is) if *at == path => Some(*is),
            _ => None,
        });
        also.unwrap_or(path)
    }

    /// The first answer that comes before the server's own.
    pub(in crate::demo) fn before(&self, seam: Seam, asked: &Asked<'_>) -> Option<Reply> {
        self.0.iter().find_map(|change| match change {
            Change::Before(at, answer) if *at == seam => answer(asked),
            _ => None,
        })
    }

    /// The body as the server shall read it, if that is not as it came.
    pub(in crate::demo) fn body(&self, seam: Seam, asked: &Asked<'_>) -> Option<String> {
        self.0.iter().find_map(|change| match change {
            Change::Body(at, read) if *at == seam => read(asked),
            _ => None,
        })
    }

    /// The head as the server shall read it, if that is not as it came.
    pub(in crate::demo) fn head(&self, seam: Seam, asked: &Asked<'_>) -> Option<Parts> {
        let headers = self.0.iter().find_map(|change| match change {
            Change::Head(at, read) if *at == seam => read(asked),
            _ => None,
        })?;
        let mut head = asked.head.clone();
        head.headers = headers;
        Some(head)
    }

    /// The answer with every change of it.
    pub(in crate::demo) fn after(&self, seam: Seam, asked: &Asked<'_>, reply: Reply) -> Reply {
        self.0.iter().fold(reply, |reply, change| match change {
            Change::After(at, change) if *at == seam => change(asked, reply),
            Change::Document(at, change) if *at == seam && reply.status().is_success() => {
                reply::changed(reply, |document| change(asked, document))
            }
            _ => reply,
        })
    }
}

/// The answer of a place where nothing is.
pub(in crate::demo) fn not_found() -> Reply {
    reply::json(StatusCode::NOT_FOUND, &serde_json::json!({"error": "not_found"}))
}
