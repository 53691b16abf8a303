//! A front that mends the broken server by hand, as the direct way around each defect. It shares no code with the
//! proxy, so that the checks are held to the page and not to our repairs.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::demo::checks::client::Base;
use crate::demo::checks::{CALLBACKS, PAGE};
use crate::endpoint::{RESOURCE_METADATA, resource_metadata_path};

/// What the front leaves broken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Spoil {
    Nothing,
    /// This field of this answer: another value or none.
    Header(&'static str, &'static str, Option<&'static str>),
    /// The `iss` of the redirect.
    Iss,
    /// The `resource` of the document at the root.
    Resource,
}

/// The front and where it stands.
pub(super) struct Front {
    pub(super) public: String,
    pub(super) port: u16,
    pub(super) spoil: Spoil,
}

type Reply = Response<Full<Bytes>>;

pub(super) async fn serve(listener: TcpListener, front: Arc<Front>) {
    while let Ok((stream, _)) = listener.accept().await {
        let front = Arc::clone(&front);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let front = Arc::clone(&front);
                async move {
                    let (head, body) = http::Request::into_parts(request);
                    let body: hyper::body::Incoming = body;
                    let body = body.collect().await.unwrap().to_bytes();
                    Ok::<_, Infallible>(front.answer(&head, &body).await)
                }
            });
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.unwrap();
        });
    }
}

impl Front {
    fn inside(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    async fn answer(&self, head: &Parts, body: &[u8]) -> Reply {
        let path = head.uri.path();
        let mut reply = match head.method {
            Method::OPTIONS => reply(StatusCode::NO_CONTENT, ""),
            _ => self.forward(head, body).await,
        };
        self.head(head, &mut reply);
        if let Spoil::Header(what, name, value) = self.spoil
            && what == format!("{} {path}", head.method)
        {
            reply.headers_mut().remove(name);
            if let Some(value) = value {
                set(&mut reply, name, value);
            }
        }
        reply
    }

    /// CORS, caching and challenge.
    fn head(&self, head: &Parts, reply: &mut Reply) {
        let path = head.uri.path();
        let document = path.contains("/.well-known/");
        if document {
            set(reply, "access-control-allow-origin", "*");
        } else if head.headers.get("origin").is_some_and(|origin| origin == PAGE) {
            set(reply, "access-control-allow-origin", PAGE);
        }
        if head.method == Method::OPTIONS {
            let headers = "content-type, AUTHORIZATION, MCP-Protocol-Version, Mcp-Session-Id";
            set(reply, "access-control-allow-methods", "GET, POST, OPTIONS");
            set(reply, "access-control-allow-headers", headers);
        }
        if document || path == "/register" {
            set(reply, "cache-control", "private, no-store");
        }
        set(reply, "vary", "Accept, Origin");
        set(reply, "access-control-expose-headers", "Mcp-Session-Id, WWW-Authenticate");
        if reply.status() == StatusCode::UNAUTHORIZED {
            let pointer = format!("{}{}", self.public, resource_metadata_path("/mcp"));
            set(reply, "www-authenticate", &format!("Bearer resource_metadata=\"{pointer}\""));
        }
    }

    async fn forward(&self, head: &Parts, body: &[u8]) -> Reply {
        let (inside, public) = (encoded(&self.inside()), encoded(&self.public));
        let path = head.uri.path();
        let root = path == RESOURCE_METADATA;
        let target = if root { resource_metadata_path("/mcp") } else { head.uri.to_string() };
        let mut body = String::from_utf8(body.to_vec()).unwrap().replace(&public, &inside);
        let mut asked = Value::Null;
        if path == "/register" {
            asked = wanted(&body, head.headers.contains_key("authorization"));
            body = asked.to_string();
        }
        let base = Base::parse(&format!("http://127.0.0.1:{}", self.port)).unwrap();
        let mut ask = base.ask(head.method.clone(), &target.replace(&public, &inside)).body(body);
        for (name, value) in head.headers.iter().filter(|(name, _)| *name != "host" && *name != "content-length") {
            ask = ask.header(name.clone(), value.to_str().unwrap());
        }
        let came = ask.send().await.unwrap();
        let mut text = String::from_utf8(came.body.to_vec()).unwrap();
        if !(root && self.spoil == Spoil::Resource) {
            text = text.replace(&self.inside(), &self.public);
        }
        let mut status = came.status;
        if path == "/register" && status == StatusCode::OK {
            status = StatusCode::CREATED;
            text = mended(&text, &asked);
        }
        let mut reply = reply(status, &text);
        for (name, value) in came.headers.iter().filter(|(name, _)| *name != "content-length") {
            let mut value = value.to_str().unwrap().to_owned();
            if name == "location" && self.spoil != Spoil::Iss {
                value = value.replace(&inside, &public);
            }
            set(&mut reply, name.as_str(), &value);
        }
        reply
    }
}

/// A stranger becomes a public client, and both callbacks are registered.
fn wanted(body: &str, trusted: bool) -> Value {
    let mut asked: Value = serde_json::from_str(body).unwrap();
    if !trusted {
        asked["token_endpoint_auth_method"] = json!("none");
    }
    if asked["redirect_uris"] == json!(CALLBACKS[..1]) {
        asked["redirect_uris"] = json!(CALLBACKS);
    }
    asked
}

fn mended(text: &str, asked: &Value) -> String {
    let mut client: serde_json::Map<String, Value> = serde_json::from_str(text).unwrap();
    client.retain(|_, value| !value.is_null());
    for (name, value) in &mut client {
        if name.ends_with("_at") {
            *value = json!(value.as_f64().unwrap() as u64);
        }
    }
    client.insert("redirect_uris".into(), asked["redirect_uris"].clone());
    Value::Object(client).to_string()
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn reply(status: StatusCode, body: &str) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body.to_owned())));
    *reply.status_mut() = status;
    reply
}

fn set(reply: &mut Reply, name: &str, value: &str) {
    reply.headers_mut().insert(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
}
