//! An MCP server and its authorization server on one origin, sound but for the one answer of the case that is
//! selected. The twin of `upstream.mjs`.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use url::form_urlencoded;

use super::cases::{self, Case, Message};

/// It ends with the runtime.
pub struct Upstream {
    pub origin: String,
    current: Arc<Mutex<Option<Case>>>,
}

struct Asked<'a> {
    case: &'a Case,
    origin: &'a str,
    path: &'a str,
    authorization: Option<&'a str>,
    body: &'a [u8],
}

impl Upstream {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let current = Arc::new(Mutex::new(None));
        let (shared, own) = (current.clone(), origin.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (current, origin) = (shared.clone(), own.clone());
                let service =
                    hyper::service::service_fn(move |request| answer(current.clone(), origin.clone(), request));
                let serving =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(serving);
            }
        });
        Self { origin, current }
    }

    pub fn select(&self, case: Case) {
        *self.current.lock().unwrap() = Some(case);
    }
}

async fn answer(
    current: Arc<Mutex<Option<Case>>>,
    origin: String,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let case = current.lock().unwrap().clone().expect("a case is selected");
    let authorization = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    let asked = Asked { case: &case, origin: &origin, path: head.uri.path(), authorization, body: &body };
    let message = match (&head.method, asked.path) {
        (_, path) if path.starts_with("/.well-known/") => asked.well_known(),
        (&Method::POST, "/register") => asked.broken("registration", "public"),
        (&Method::POST, "/token") => asked.token(),
        (_, "/mcp") => error(401, "invalid_token"),
        (_, "/register" | "/token") => error(405, "not_found"),
        // Nobody comes here with a code challenge: rmcp is only asked for the address.
        (&Method::GET, "/authorize") => error(400, "code_challenge is missing"),
        _ => error(404, "not_found"),
    };
    let mut response = Response::builder().status(message.status);
    if asked.path == "/mcp" {
        let challenge = format!("Bearer resource_metadata=\"{origin}/.well-known/oauth-protected-resource/mcp\"");
        response = response.header("WWW-Authenticate", challenge);
    }
    if !message.kind.is_empty() {
        response = response.header("Content-Type", message.kind);
    }
    Ok(response.body(Full::new(message.body.into())).unwrap())
}

impl Asked<'_> {
    /// The answer of the case, if it is in this group.
    fn broken(&self, group: &str, base: &str) -> Message {
        if self.case.group == group { self.case.message(self.origin) } else { cases::sound(group, base, self.origin) }
    }

    fn well_known(&self) -> Message {
        if self.case.is("everywhere") {
            return self.case.message(self.origin);
        }
        let base = match self.path {
            "/.well-known/oauth-protected-resource" | "/.well-known/oauth-protected-resource/mcp" => {
                return self.broken("resource-metadata", "resource");
            }
            "/.well-known/oauth-authorization-server" => "oauth",
            "/.well-known/openid-configuration" => "oidc",
            _ => return error(404, "not_found"),
        };
        let named = |key| self.case.text(key) == Some(base);
        let (broken, sound) = match self.case.group.as_str() {
            "server-metadata" => (named("base"), named("other")),
            _ => (false, base == "oauth"),
        };
        match (broken, sound) {
            (true, _) => self.case.message(self.origin),
            (false, true) => cases::sound("server-metadata", base, self.origin),
            (false, false) => error(404, "not_found"),
        }
    }

    /// A client that has a secret must show it, in one way or the other; one that has none must not.
    fn token(&self) -> Message {
        let form = |name: &str| {
            let mut pairs = form_urlencoded::parse(self.body);
            pairs.find_map(|(have, value)| (have == name).then(|| value.into_owned()))
        };
        let basic = self.authorization.and_then(|value| value.strip_prefix("Basic ")).map(|value| {
            let pair = String::from_utf8(BASE64_STANDARD.decode(value).unwrap()).unwrap();
            let (user, password) = pair.split_once(':').unwrap();
            (user.to_owned(), password.to_owned())
        });
        let (id, secret) = match basic {
            Some((id, secret)) => (Some(id), Some(secret)),
            None => (form("client_id"), form("client_secret")),
        };
        if (id, secret) == (Some(self.case.client().0), self.case.client().1) {
            self.broken("token", "bearer")
        } else {
            error(401, "invalid_client")
        }
    }
}

fn error(status: u16, code: &str) -> Message {
    Message { status, kind: "application/json".to_owned(), body: format!("{{\"error\":\"{code}\"}}") }
}
