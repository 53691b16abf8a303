//! The text form of messages in examples: a start line, header lines, a blank line, a body.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::edit::json::Object;
use crate::edit::origin::Origin;
use crate::endpoint::{self, Class, Endpoints, Paths};
use crate::exchange::{Ask, At, Event, Facts, Form, Head, Opening, Reply, ReplyBody, Request, RequestBody, Site};
use crate::jsonrpc::Envelope;
use crate::knowledge::{Foreign, Knowledge};
use crate::repair::SiteKind;
use crate::seal::SealKeys;

/// Stands in an example's reply for `Reply::decode`, which is no header field.
const DECODE: &str = "x-decoded";

/// Stand in an example's request for `Request::is_legacy` and `Request::moved`.
const LEGACY: &str = "x-legacy";
const MOVED: &str = "x-moved";

/// Stands in the request of a further ask for `Ask::bridge`.
const BRIDGE: &str = "x-bridge";

/// Stands in an example's reply for `Reply::form`.
const FORM: &str = "x-form";

/// The time at which examples play: 2025-06-11, in seconds since 1970.
const CLOCK: i64 = 1_749_600_000;

/// Reads a request. The body becomes JSON or a form if it is one, and an example is expected to be well formed.
///
/// # Errors
/// What is wrong with the text.
pub fn request(text: &str, facts: &Facts, known: &Knowledge) -> Result<Request, String> {
    let (start, headers, body) = split(text)?;
    let (method, target) = start.split_once(' ').ok_or("the first line is METHOD /target")?;
    let target: PathAndQuery = target.parse().map_err(|_| format!("no target: {target}"))?;
    let method: Method = method.parse().map_err(|_| format!("no method: {method}"))?;
    let mut headers = headers;
    let text = |value: HeaderValue| value.to_str().map(str::to_owned).ok();
    let moved = headers.remove(MOVED).and_then(text);
    let is_legacy = headers.remove(LEGACY).is_some();
    let request = Request::new(&Site { facts, known }, Head { method, target, headers }, || CLOCK);
    let (class, bytes) = (request.class, Bytes::copy_from_slice(body.as_bytes()));
    let body = match body {
        "" => RequestBody::Unread,
        text if text.starts_with('{') => RequestBody::Json(object(text)?),
        _ if class.has_messages() => RequestBody::Whole(bytes.clone()),
        text => RequestBody::Form(text.to_owned()),
    };
    Ok(Request {
        message: class.has_messages().then(|| Envelope::peek(&bytes)).flatten(),
        is_legacy,
        moved: moved.map(Into::into),
        body,
        // What the client sent before the request repairs is not told by an example.
        ..request
    })
}

/// Reads a reply. A body that is no JSON object is text; without one it is a stream that nobody read.
///
/// # Errors
/// What is wrong with the text.
pub fn reply(text: &str) -> Result<Reply, String> {
    let (start, headers, body) = split(text)?;
    let status = start.split(' ').next().unwrap_or(start);
    let status: StatusCode = status.parse().map_err(|_| format!("no status: {start}"))?;
    let body = match body {
        text if text.starts_with('{') => ReplyBody::Json(object(text)?),
        "(empty)" => ReplyBody::Empty,
        "" => ReplyBody::Stream,
        text => ReplyBody::Text(Bytes::copy_from_slice(text.as_bytes())),
    };
    let decode = headers.contains_key(DECODE);
    let form = match headers.get(FORM).map(HeaderValue::as_bytes) {
        Some(b"event") => Form::Event,
        Some(b"message") => Form::Message,
        Some(b"posted") => Form::Posted,
        _ => Form::AsItCame,
    };
    let opening = match text.split_once("\n\n").map(|(_, body)| body) {
        Some("(empty)") => Opening::Nothing,
        Some(body) => Opening::of(body.as_bytes()),
        None => Opening::Unseen,
    };
    let message = match &body {
        ReplyBody::Json(object) => Envelope::peek(&object.to_bytes()),
        _ => None,
    };
    let mut reply = Reply { body, decode, form, opening, message, ..Reply::new(status, headers) };
    reply.headers.remove(DECODE);
    reply.headers.remove(FORM);
    Ok(reply)
}

/// Reads an event, what is left at the end of a stream, or a silence.
#[must_use]
pub fn event(text: &str) -> Event {
    let rest = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    match text {
        "(silence)" => Event::at(At::Silence { answered: false }, Bytes::new()),
        "(silence, answered)" => Event::at(At::Silence { answered: true }, Bytes::new()),
        _ => match (text.strip_prefix("(end)"), text.strip_prefix("(end, open)")) {
            (Some(text), _) => Event::at(At::End { open: false }, rest(text)),
            (_, Some(text)) => Event::at(At::End { open: true }, rest(text)),
            _ => Event::arrived(rest(text)),
        },
    }
}

/// Writes an event as examples are written.
#[must_use]
pub fn write_event(event: &Event) -> String {
    let before = match event.at {
        At::Arrival => "",
        At::End { open: false } => "(end)",
        At::End { open: true } => "(end, open)",
        At::Silence { answered } if event.text.is_empty() && !event.ends => {
            return if answered { "(silence, answered)" } else { "(silence)" }.to_owned();
        }
        At::Silence { .. } => "",
    };
    format!("{before}{}{}", text(&event.text), if event.ends { "(the stream ends)" } else { "" })
}

/// Writes a request as examples are written, with the changes of a further ask.
#[must_use]
pub fn write_request(request: &Request, ask: Option<&Ask>) -> String {
    let mut request = request.clone();
    let mut target = request.target.to_string();
    if let Some(ask) = ask {
        if let Some(other) = &ask.target {
            target.clone_from(other);
        }
        if let Some(body) = &ask.body {
            if std::mem::discriminant(&request.body) != std::mem::discriminant(body)
                && let Some(kind) = body.media_type()
            {
                request.headers.insert(CONTENT_TYPE, kind);
            }
            request.body = body.clone();
        }
        if let Some(at) = &ask.bridge {
            request.headers.insert(BRIDGE, HeaderValue::from_str(at).unwrap_or(HeaderValue::from_static("?")));
        }
        if !ask.parts.is_empty() {
            request.body = RequestBody::Whole(ask.parts.join(&b" then "[..]).into());
        }
        if ask.listens {
            (request.method, request.body) = (Method::GET, RequestBody::Unread);
        }
        for (name, value) in &ask.fields {
            match value {
                Some(value) => drop(request.headers.insert(name, value.clone())),
                None => drop(request.headers.remove(name)),
            }
        }
        match &ask.authorization {
            Some(Some(value)) => drop(request.headers.insert(AUTHORIZATION, value.clone())),
            Some(None) => drop(request.headers.remove(AUTHORIZATION)),
            None => {}
        }
    }
    let body = match &request.body {
        RequestBody::Unread => String::new(),
        RequestBody::Json(object) => text(&object.to_bytes()),
        RequestBody::Form(form) => form.clone(),
        RequestBody::Whole(bytes) => text(bytes),
    };
    if request.is_legacy {
        request.headers.insert(LEGACY, HeaderValue::from_static("yes"));
    }
    if let Some(Ok(to)) = request.moved.as_deref().map(HeaderValue::from_str) {
        request.headers.insert(MOVED, to);
    }
    write(&format!("{} {}", request.method, target), &request.headers, &body)
}

/// Writes a reply as examples are written.
#[must_use]
pub fn write_reply(reply: &Reply) -> String {
    let body = match &reply.body {
        ReplyBody::Stream => String::new(),
        ReplyBody::Json(object) => text(&object.to_bytes()),
        ReplyBody::Text(bytes) => text(bytes),
        ReplyBody::Empty => "(empty)".to_owned(),
    };
    let mut headers = reply.headers.clone();
    if reply.decode {
        headers.insert(DECODE, HeaderValue::from_static("yes"));
    }
    match reply.form {
        Form::AsItCame => {}
        Form::Event => drop(headers.insert(FORM, HeaderValue::from_static("event"))),
        Form::Message => drop(headers.insert(FORM, HeaderValue::from_static("message"))),
        Form::Listened => drop(headers.insert(FORM, HeaderValue::from_static("listened"))),
        Form::Posted => drop(headers.insert(FORM, HeaderValue::from_static("posted"))),
    }
    write(reply.status.as_str(), &headers, &body)
}

/// The text of an example with its header lines in the order that the writer uses, so that two can be compared.
///
/// # Errors
/// What is wrong with the text.
pub fn normalised(example: &str) -> Result<String, String> {
    let (start, headers, body) = split(example)?;
    Ok(write(start, &headers, body))
}

fn write(start: &str, headers: &HeaderMap, body: &str) -> String {
    let mut lines: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {}", text(value.as_bytes()))).collect();
    lines.sort_by(|a, b| a.split(':').next().cmp(&b.split(':').next()));
    lines.insert(0, start.to_owned());
    let head = lines.join("\n");
    if body.is_empty() { head } else { format!("{head}\n\n{body}") }
}

fn split(text: &str) -> Result<(&str, HeaderMap, &str), String> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let start = lines.next().ok_or("empty")?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or_else(|| format!("no header line: {line}"))?;
        let name: HeaderName = name.parse().map_err(|_| format!("no header name: {name}"))?;
        headers.append(name, HeaderValue::from_str(value).map_err(|_| format!("no header value: {value}"))?);
    }
    Ok((start, headers, body))
}

fn object(text: &str) -> Result<Object, String> {
    Object::parse(Bytes::copy_from_slice(text.as_bytes())).map_err(|e| e.to_string())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The stated facts of an example's site.
///
/// # Panics
/// Never: the origins are constants.
#[must_use]
pub fn facts(kind: SiteKind) -> Facts {
    let origin = |text: &str| Origin::of(text).unwrap_or_else(|e| unreachable!("{text}: {e}"));
    Facts {
        public: origin("https://mcp.example.com"),
        upstream: origin("http://localhost:3000"),
        mcp_path: "/mcp".into(),
        origins: vec![origin("https://claude.ai"), origin("https://claude.com")],
        loopback_origins: kind == SiteKind::Loopback,
        scopes: if kind == SiteKind::Scoped { vec!["mcp:read".into(), "mcp:write".into()] } else { Vec::new() },
        seal: SealKeys::known_to_all(),
    }
}

/// What is known of the upstream of an example's site.
#[must_use]
pub fn knowledge(kind: SiteKind) -> Knowledge {
    let origin = Origin::of("http://localhost:3000").into_iter().collect::<Vec<_>>();
    let own = Knowledge {
        resource_metadata_path: Some("/.well-known/oauth-protected-resource/mcp".into()),
        resource: Some("http://localhost:3000/mcp".into()),
        authorization_servers: vec!["http://localhost:3000".into()],
        server_metadata_path: Some(endpoint::SERVER_METADATA.into()),
        issuer: Some("http://localhost:3000".into()),
        advertised: origin,
        ..Knowledge::default()
    };
    match kind {
        SiteKind::Strict => Knowledge { checks_pkce: true, registers: true, refreshes: true, ..own },
        SiteKind::Taught => Knowledge { sends_iss: true, refuses_documents: true, ..own },
        SiteKind::Cohosted => own,
        SiteKind::Scoped => Knowledge { scopes: Some(facts(kind).scopes), ..own },
        SiteKind::HalfOpen => Knowledge { anonymous_status: Some(StatusCode::UNAUTHORIZED), open_get: true, ..own },
        SiteKind::LetsIn => Knowledge { anonymous_status: Some(StatusCode::OK), ..own },
        SiteKind::Bare => {
            let mut bare = Knowledge { registers: true, ..Knowledge::default() };
            bare.take_defaults(&facts(kind));
            bare
        }
        SiteKind::Confidential => Knowledge { auth_methods: Some(vec!["client_secret_basic".into()]), ..own },
        SiteKind::NoResourceMetadata => {
            Knowledge { resource_metadata_path: None, resource: None, authorization_servers: Vec::new(), ..own }
        }
        SiteKind::Pathed => Knowledge {
            resource_metadata_path: Some(endpoint::RESOURCE_METADATA.into()),
            authorization_servers: vec!["http://localhost:3000/auth".into()],
            server_metadata_path: Some("/auth/.well-known/openid-configuration".into()),
            issuer: Some("http://localhost:3000/auth".into()),
            promises_iss: true,
            endpoints: Endpoints::from(Paths {
                authorize: "/auth/authorize".into(),
                token: "/auth/token".into(),
                register: "/auth/register".into(),
                revoke: "/auth/revoke".into(),
            }),
            ..own
        },
        SiteKind::Foreign => Knowledge {
            authorization_servers: vec!["https://login.example.net/t".into()],
            server_metadata_path: None,
            issuer: None,
            foreign: Some(Foreign {
                listed: "https://login.example.net/t".into(),
                issuer: "https://login.example.net/t".into(),
                authorization_endpoint: Some("https://login.example.net/t/authorize".into()),
            }),
            ..own
        },
        SiteKind::Open | SiteKind::Loopback => Knowledge::default(),
    }
}

/// The class that a path has on an example's site.
#[must_use]
pub fn class_of(kind: SiteKind, path: &str) -> Class {
    endpoint::classify(path, &facts(kind).mcp_path, &knowledge(kind).endpoints)
}
