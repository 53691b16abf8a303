//! Asking the upstream: connections, TLS, time limits, and the one retry that is safe.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

use crate::alarm::Alarm;
use crate::body::{self, RequestBody, Upload};
use crate::edit::origin::Origin;
use crate::refuse::{self, Refusal};

/// Where the upstream is and how it is reached. Shared by all workers, never changed.
pub struct Target {
    pub origin: Origin,
    /// What its Host header says.
    pub authority: HeaderValue,
    pub tls: Option<Arc<ClientConfig>>,
    pub limits: Limits,
}

impl Target {
    /// Whether connections to one serve the other as well.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.origin == other.origin && self.tls.is_none() && other.tls.is_none() && self.limits == other.limits
    }
}

/// How long the upstream may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub connect: Duration,
    /// From the end of the upload to the first byte of the answer.
    pub first_byte: Duration,
    /// Bytes of an answer's head.
    pub head_bytes: usize,
    /// An idle connection older than this is not used again.
    pub idle: Duration,
    /// A connection older than this is not used again, so that a change of address is noticed.
    pub age: Duration,
}

/// The upstream as one worker sees it: its own connections, shared with no other.
pub struct Upstream {
    target: Arc<Target>,
    idle: Mutex<Vec<Pooled>>,
    pub retries: AtomicU64,
}

struct Pooled {
    sender: SendRequest<RequestBody>,
    alarm: Alarm,
    opened: Instant,
    returned: Instant,
}

/// A connection that an exchange has to itself until its answer has ended.
pub struct Lease {
    upstream: Arc<Upstream>,
    sender: SendRequest<RequestBody>,
    alarm: Alarm,
    opened: Instant,
}

/// Why there is no answer: what the client gets told, and the cause for the log.
#[derive(Debug, thiserror::Error)]
#[error("{}", refusal.name)]
pub struct Failure {
    pub refusal: Refusal,
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    fn new(refusal: Refusal, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { refusal, cause: Some(cause.into()) }
    }

    /// The client's body did not arrive whole.
    #[must_use]
    pub fn of_upload(error: hyper::Error) -> Self {
        Self::new(if body::is_timeout(&error) { refuse::BODY_STALLED } else { refuse::BAD_BODY }, error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, cause: None }
    }
}

/// What is to be asked.
pub struct Question {
    pub method: Method,
    /// Path and query.
    pub target: Uri,
    pub headers: HeaderMap,
    pub body: RequestBody,
    pub upload: Upload,
    /// How long the first byte of the answer may take, if not as long as of any other.
    pub first_byte: Option<Duration>,
}

/// How an attempt on one connection failed.
enum Failed {
    /// Nothing of the request was written: it comes back.
    Unsent(Box<Request<RequestBody>>),
    /// The connection ended before a byte of an answer.
    Closed(hyper::Error),
    Final(Failure),
}

impl Upstream {
    #[must_use]
    pub fn new(target: Arc<Target>) -> Arc<Self> {
        Arc::new(Self { target, idle: Mutex::new(Vec::new()), retries: AtomicU64::new(0) })
    }

    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Asks, and waits for the head of the answer.
    ///
    /// A request of which nothing was written on a stale pooled connection goes out again on another. One that was
    /// written goes out again, once and on a fresh connection, only if it is a read without a body: whether the
    /// upstream acted on anything else cannot be known (RFC 9110 section 9.2.2).
    ///
    /// # Errors
    /// A [`Failure`] that says what to answer.
    pub async fn ask(self: &Arc<Self>, question: Question) -> Result<(Response<Incoming>, Lease), Failure> {
        let Question { method, target, headers, body, upload, first_byte } = question;
        let first_byte = first_byte.unwrap_or(self.target.limits.first_byte).min(self.target.limits.first_byte);
        let repeatable = (body.is_empty() && is_read(&method)).then(|| (method.clone(), target.clone()));
        // hyper leaves a body of unknown length away from a GET or a HEAD, unless its framing is stated.
        let is_unframed = is_read(&method) && !body.is_empty() && !headers.contains_key(CONTENT_LENGTH);
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = target;
        *request.headers_mut() = headers;
        if is_unframed {
            request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        loop {
            let Some(pooled) = self.checkout(upload.begun_at()) else {
                let lease = Box::pin(self.connect()).await?;
                return self.exchange(lease, request, &upload, first_byte).await.map_err(Failed::into_failure);
            };
            // A copy is only needed where a second try is allowed and the first may fail for staleness.
            let copy =
                repeatable.as_ref().map(|(method, target)| (method.clone(), target.clone(), request.headers().clone()));
            match self.exchange(pooled, request, &upload, first_byte).await {
                Ok(answer) => return Ok(answer),
                Err(Failed::Unsent(back)) => request = *back,
                Err(Failed::Closed(error)) => {
                    let Some((method, target, headers)) = copy else {
                        return Err(Failed::Closed(error).into_failure());
                    };
                    self.retries.fetch_add(1, Ordering::Relaxed);
                    let mut again = Request::new(RequestBody::Empty);
                    *again.method_mut() = method;
                    *again.uri_mut() = target;
                    *again.headers_mut() = headers;
                    let lease = Box::pin(self.connect()).await?;
                    return self.exchange(lease, again, &upload, first_byte).await.map_err(Failed::into_failure);
                }
                Err(failed) => return Err(failed.into_failure()),
            }
        }
    }

    async fn exchange(
        self: &Arc<Self>,
        mut lease: Lease,
        request: Request<RequestBody>,
        upload: &Upload,
        first_byte: Duration,
    ) -> Result<(Response<Incoming>, Lease), Failed> {
        let answer = {
            let mut answer = std::pin::pin!(lease.sender.try_send_request(request));
            let alarm = &mut lease.alarm;
            std::future::poll_fn(|cx| match answer.as_mut().poll(cx) {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                // The clock runs from the last byte of the upload that was taken.
                Poll::Pending => alarm.poll(cx, || upload.progress() + first_byte).map(|()| None),
            })
            .await
        };
        let Some(answer) = answer else { return Err(Failed::Final(refuse::ANSWER_TIMEOUT.into())) };
        match answer {
            // Nobody asked to switch protocols: what follows would not be HTTP.
            Ok(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                Err(Failed::Final(Failure::new(refuse::BAD_ANSWER, "101 without an Upgrade")))
            }
            Ok(answer) if !has_one_framing(answer.headers()) => Err(Failed::Final(Failure::new(
                refuse::BAD_ANSWER,
                "an unknown transfer coding, or a length beside one",
            ))),
            Ok(answer) => Ok((answer, lease)),
            Err(mut error) => {
                if let Some(request) = error.take_message() {
                    return Err(Failed::Unsent(Box::new(request)));
                }
                let error = error.into_error();
                if let Some(refusal) = upload.refusal() {
                    return Err(Failed::Final(Failure::new(refusal, error)));
                }
                let answered_badly = error.is_parse() || error.is_parse_too_large() || error.is_parse_status();
                if answered_badly {
                    return Err(Failed::Final(Failure::new(refuse::BAD_ANSWER, error)));
                }
                Err(Failed::Closed(error))
            }
        }
    }

    /// A pooled connection that is alive, if there is one; the newest first, so that the others grow old and close.
    fn checkout(self: &Arc<Self>, now: Instant) -> Option<Lease> {
        let mut idle = self.idle.lock().ok()?;
        let limits = &self.target.limits;
        let mut index = idle.len();
        while index > 0 {
            index -= 1;
            let pooled = &idle[index];
            if pooled.sender.is_closed()
                || now.saturating_duration_since(pooled.returned) > limits.idle
                || now.saturating_duration_since(pooled.opened) > limits.age
            {
                idle.swap_remove(index);
            } else if pooled.sender.is_ready() {
                let Pooled { sender, alarm, opened, .. } = idle.swap_remove(index);
                return Some(Lease { upstream: self.clone(), sender, alarm, opened });
            }
        }
        None
    }

    /// Closes the connections that nobody may use again.
    pub fn prune(&self) {
        let Ok(mut idle) = self.idle.lock() else { return };
        let (now, limits) = (Instant::now(), &self.target.limits);
        idle.retain(|pooled| {
            !pooled.sender.is_closed()
                && now.saturating_duration_since(pooled.returned) <= limits.idle
                && now.saturating_duration_since(pooled.opened) <= limits.age
        });
    }

    async fn connect(self: &Arc<Self>) -> Result<Lease, Failure> {
        let limits = &self.target.limits;
        let stream =
            timeout(limits.connect, self.open()).await.map_err(|_| Failure::from(refuse::CONNECT_TIMEOUT))??;
        let (sender, connection) = http1::Builder::new()
            .max_header_size(limits.head_bytes)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Failure::new(refuse::UNREACHABLE, error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "upstream connection ended");
            }
        });
        Ok(Lease { upstream: self.clone(), sender, alarm: Alarm::default(), opened: Instant::now() })
    }

    async fn open(&self) -> Result<Socket, Failure> {
        let tcp = self.dial().await.map_err(|error| Failure::new(refuse::UNREACHABLE, error))?;
        let _ = tcp.set_nodelay(true);
        let Some(tls) = &self.target.tls else { return Ok(Socket::Plain(tcp)) };
        let name = server_name(self.target.origin.host()).map_err(|error| Failure::new(refuse::NO_TRUST, error))?;
        let stream = TlsConnector::from(tls.clone()).connect(name, tcp).await.map_err(|error| {
            let refusal = if error.get_ref().is_some_and(|e| e.is::<rustls::Error>()) {
                refuse::NO_TRUST
            } else {
                refuse::UNREACHABLE
            };
            Failure::new(refusal, error)
        })?;
        Ok(Socket::Tls(Box::new(stream)))
    }

    /// Every address of the host in turn; names are looked up anew for each connection.
    async fn dial(&self) -> io::Result<TcpStream> {
        let port = self.target.origin.port();
        let name = match self.target.origin.host() {
            Host::Ipv4(address) => return TcpStream::connect((*address, port)).await,
            Host::Ipv6(address) => return TcpStream::connect((*address, port)).await,
            Host::Domain(name) => name,
        };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in tokio::net::lookup_host((name.as_str(), port)).await? {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Lease {
    /// Gives the connection back after its answer has ended whole.
    pub fn give_back(self, now: Instant) {
        if self.sender.is_closed() {
            return;
        }
        let Self { upstream, sender, alarm, opened } = self;
        if let Ok(mut idle) = upstream.idle.lock() {
            idle.push(Pooled { sender, alarm, opened, returned: now });
        }
    }
}

impl Failed {
    fn into_failure(self) -> Failure {
        match self {
            Self::Unsent(_) => refuse::CUT_OFF.into(),
            Self::Closed(error) => Failure::new(refuse::CUT_OFF, error),
            Self::Final(failure) => failure,
        }
    }
}

/// Whether there is one way only to tell where the body ends (RFC 9112 section 6.3).
fn has_one_framing(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return true };
    coding.as_bytes().eq_ignore_ascii_case(b"chunked")
        && codings.next().is_none()
        && !headers.contains_key(CONTENT_LENGTH)
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn server_name(host: &Host<String>) -> Result<ServerName<'static>, rustls_pki_types::InvalidDnsNameError> {
    Ok(match host {
        Host::Domain(name) => ServerName::try_from(name.clone())?,
        Host::Ipv4(address) => ServerName::IpAddress(std::net::IpAddr::V4(*address).into()),
        Host::Ipv6(address) => ServerName::IpAddress(std::net::IpAddr::V6(*address).into()),
    })
}

/// The socket to the upstream.
enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

/// A small body from the upstream, gathered for somebody who needs it whole (metadata).
///
/// # Errors
/// When it is too long or the connection ends.
pub async fn gather(mut body: Incoming, limit: usize) -> Result<Bytes, ()> {
    use http_body::Body as _;
    let mut all = bytes::BytesMut::new();
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        match frame {
            None => return Ok(all.freeze()),
            Some(Err(_)) => return Err(()),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    if all.len() + data.len() > limit {
                        return Err(());
                    }
                    all.extend_from_slice(&data);
                }
            }
        }
    }
}
