//! The connection to the collector: one, over plain TCP or TLS, made when it is needed.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Setup;
use crate::edit::origin::Origin;
use crate::upstream;

/// A collector's answer is a few bytes.
const MOST_BYTES: usize = 64 * 1024;

pub(super) struct Client {
    endpoint: Origin,
    path: String,
    headers: HeaderMap,
    tls: Option<Arc<ClientConfig>>,
    open: Option<SendRequest<Full<Bytes>>>,
}

/// Why a message did not arrive.
pub(super) struct Undelivered {
    pub(super) what: String,
    pub(super) may_be_sent_again: bool,
}

impl Undelivered {
    pub(super) fn for_now(what: impl ToString) -> Self {
        Self { what: what.to_string(), may_be_sent_again: true }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Client {
    pub(super) fn new(setup: &Setup, tls: Option<Arc<ClientConfig>>) -> Self {
        let mut headers = HeaderMap::new();
        if let Ok(host) = HeaderValue::from_str(setup.endpoint.authority()) {
            headers.insert(HOST, host);
        }
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("mcp-mend/", env!("CARGO_PKG_VERSION"))));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.extend(setup.headers.iter().cloned());
        Self { endpoint: setup.endpoint.clone(), path: setup.path.clone(), headers, tls, open: None }
    }

    /// Sends one message; answers what the collector says to it.
    pub(super) async fn post(&mut self, path: &str, message: Bytes) -> Result<Bytes, Undelivered> {
        let mut sender = match self.open.take().filter(|open| !open.is_closed()) {
            Some(open) => open,
            None => self.connect().await.map_err(Undelivered::for_now)?,
        };
        let mut request = Request::new(Full::new(message));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::try_from(format!("{}{path}", self.path))
            .map_err(|error| Undelivered { what: error.to_string(), may_be_sent_again: false })?;
        *request.headers_mut() = self.headers.clone();
        sender.ready().await.map_err(Undelivered::for_now)?;
        let answer = sender.send_request(request).await.map_err(Undelivered::for_now)?;
        let status = answer.status();
        let body = upstream::gather(answer.into_body(), MOST_BYTES).await;
        if status.is_success() {
            self.open = Some(sender);
            return Ok(body.unwrap_or_default());
        }
        // OTLP section "Failures": these alone may be sent again.
        let may_be_sent_again = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        Err(Undelivered { what: format!("it answered {status}"), may_be_sent_again })
    }

    /// The next message goes over another connection.
    pub(super) fn hang_up(&mut self) {
        self.open = None;
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
        let host = self.endpoint.host().to_string();
        let host = host.trim_matches(['[', ']']);
        let tcp = TcpStream::connect((host, self.endpoint.port())).await?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some(tls) => {
                let name = ServerName::try_from(host.to_owned())?;
                Box::new(TlsConnector::from(tls.clone()).connect(name, tcp).await?)
            }
        };
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the OTLP collector ended");
            }
        });
        Ok(sender)
    }
}
