//! Asking the upstream: connections, TLS, time limits, and the retries that are safe.

mod affinity;
mod attempt;
mod dial;
mod health;
mod heed;
mod http2;
mod ownership;
mod places;
mod pool;
mod private;
mod socket;
mod target;
mod watch;

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::Instant;

use self::attempt::{Failed, Patience};
pub use self::health::{Place, Report};
use self::http2::{Gate, Shared};
use self::ownership::Sending;
pub use self::ownership::{Owner, Ownership, Proof};
pub use self::pool::Lease;
use self::pool::Pooled;
pub use self::private::Private;
pub use self::socket::{Dial, Dialling, Stream};
pub use self::target::{Health, Http2, Limits, Target, TargetError};
use crate::body::{self, RequestBody, Upload};
pub use crate::config::Address;
use crate::connection::Connection;
use crate::counters::Counters;
use crate::endpoint::SESSION;
use crate::overload::Load;
use crate::refuse::{self, Refusal};

/// How often a request goes out again of which nothing was written or looked at.
const MOST_TRIES: usize = 4;
/// The upstream as one worker sees it: its own connections, shared with no other.
pub struct Upstream {
    target: Arc<Target>,
    /// Connections that any exchange may use next.
    idle: Mutex<Vec<Pooled>>,
    /// Client connections that have private connections waiting.
    owners: Mutex<Vec<Weak<Connection>>>,
    shared: Mutex<Vec<Shared>>,
    gates: Mutex<Vec<(Arc<Place>, Gate)>>,
    counters: Arc<Counters>,
    /// Tells whether there is room for large buffers.
    load: Option<&'static Load>,
}

/// Where a request belongs, if there are several addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the one that all clients log in at.
    Home,
    /// To that of its session, or to any.
    Messages,
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

    /// Whether any of the request may have reached the upstream.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        const UNSENT: [Refusal; 4] =
            [refuse::UNREACHABLE, refuse::NO_TRUST, refuse::CONNECT_TIMEOUT, refuse::NO_DESCRIPTOR];
        !UNSENT.contains(&self.refusal)
    }

    /// The cause and its causes, for the log.
    #[must_use]
    pub fn reason(&self) -> String {
        let Some(cause) = &self.cause else { return self.refusal.description.to_owned() };
        let mut said = cause.to_string();
        let mut next = cause.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if !said.contains(&text) {
                said = format!("{said}: {text}");
            }
            next = cause.source();
        }
        said
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
    pub route: Route,
    /// What proves that the body was read.
    pub proof: Proof,
    pub owner: Ownership,
}

/// What a request is made of, to be sent once more.
struct Copy {
    method: Method,
    target: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Copy {
    /// Of a request whose body is not streaming.
    fn of(request: &Request<RequestBody>) -> Option<Self> {
        let body = match request.body() {
            RequestBody::Empty => Bytes::new(),
            RequestBody::Whole(bytes) => bytes.clone(),
            RequestBody::Client(_) => return None,
        };
        let (method, target, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
        Some(Self { method, target, headers, body })
    }

    fn request(self) -> Request<RequestBody> {
        let body = if self.body.is_empty() { RequestBody::Empty } else { RequestBody::Whole(self.body) };
        let mut request = Request::new(body);
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (self.method, self.target, self.headers);
        request
    }
}

impl Upstream {
    #[must_use]
    pub fn new(target: Arc<Target>) -> Arc<Self> {
        Self::counted(target, Arc::default(), None)
    }

    /// The same, and what it does is counted there. Buffers are large while the load leaves room.
    #[must_use]
    pub fn counted(target: Arc<Target>, counters: Arc<Counters>, load: Option<&'static Load>) -> Arc<Self> {
        let (idle, owners, shared, gates) = (Mutex::default(), Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { target, idle, owners, shared, gates, counters, load })
    }

    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Asks, and waits for the head of the answer.
    ///
    /// A request of which nothing was written, or nothing was looked at, goes out again, to another address if there is one.
    /// One that was written goes out again, once and on a fresh connection, only if it is a read without a body and the
    /// connection was an old one: whether the upstream acted on anything else cannot be known (RFC 9110 section 9.2.2).
    ///
    /// # Errors
    /// A [`Failure`] that says what to answer.
    pub async fn ask(self: &Arc<Self>, question: Question) -> Result<(Response<Incoming>, Lease), Failure> {
        match self.target.places.sole() {
            Some(sole) => self.ask_in(std::slice::from_ref(sole), question).await,
            None => Box::pin(self.ask_among(question)).await,
        }
    }

    /// Asks the address that the request belongs to, and notes in a session id which one gave it out.
    async fn ask_among(self: &Arc<Self>, mut question: Question) -> Result<(Response<Incoming>, Lease), Failure> {
        let places = &self.target.places;
        let order = places.order(&places.now().await, question.route, &mut question.headers);
        let (mut answer, lease) = self.ask_in(&order, question).await?;
        if let Some(sealed) = answer.headers().get(SESSION).and_then(|id| affinity::seal(id, &lease.place.tag)) {
            answer.headers_mut().insert(SESSION, sealed);
        }
        Ok((answer, lease))
    }

    /// Asks the first address that can be reached.
    async fn ask_in(
        self: &Arc<Self>,
        places: &[Arc<Place>],
        question: Question,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let Question { method, target, headers, body, upload, first_byte, proof, owner, .. } = question;
        let patience = Patience::of(first_byte, self.target.limits.first_byte);
        let is_repeatable = body.is_empty() && is_read(&method);
        // hyper leaves a body of unknown length away from a GET or a HEAD, unless its framing is stated.
        let is_unframed = is_read(&method) && !body.is_empty() && !headers.contains_key(CONTENT_LENGTH);
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = target;
        *request.headers_mut() = headers;
        if is_unframed {
            request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        let sending = Sending::of(&request, proof, owner);
        let (mut at, mut tries, mut wants_fresh, mut has_repeated) = (0, 0, false, false);
        loop {
            let place = places.get(at).ok_or_else(|| Failure::from(refuse::UNREACHABLE))?;
            let is_last = at + 1 == places.len();
            let used = if wants_fresh { None } else { self.used(place, &sending, upload.begun_at()) };
            let is_fresh = used.is_none();
            let mut lease = match used {
                Some(lease) => lease,
                None => match Box::pin(self.connect(place, wants_fresh)).await {
                    Ok(lease) => lease,
                    Err(failure) if failure.refusal == refuse::NO_DESCRIPTOR => return Err(failure),
                    Err(failure) => {
                        place.failed(&failure);
                        if is_last {
                            return Err(failure);
                        }
                        self.counters.retries.fetch_add(1, Ordering::Relaxed);
                        (at, wants_fresh) = (at + 1, false);
                        continue;
                    }
                },
            };
            // A copy is only needed where a second try is allowed and the first may fail for want of a connection.
            let copy = if is_repeatable && !is_fresh || lease.is_shared() { Copy::of(&request) } else { None };
            let failed = match self.exchange(&mut lease, request, &upload, &patience, &sending).await {
                Ok(answer) => {
                    lease.place.answered();
                    return Ok((answer, lease));
                }
                Err(failed) => failed,
            };
            tries += usize::from(is_fresh || lease.is_shared());
            let is_of_use = tries < MOST_TRIES;
            request = match (failed, copy) {
                (Failed::Unsent(request), _) if is_of_use => *request,
                (Failed::Unprocessed(_), Some(copy)) if is_of_use => copy.request(),
                (Failed::Closed(_), Some(copy)) if is_repeatable && !is_fresh && !has_repeated => {
                    self.counters.retries.fetch_add(1, Ordering::Relaxed);
                    (wants_fresh, has_repeated) = (!lease.is_shared(), true);
                    copy.request()
                }
                (failed, _) => {
                    let failure = failed.into_failure(&lease.place);
                    self.look_into(&lease.place);
                    return Err(failure);
                }
            };
            if is_fresh && !is_last {
                (at, wants_fresh) = (at + 1, false);
            } else {
                wants_fresh |= lease.is_alive();
            }
        }
    }

    /// A connection that is there: a stream of one that is shared, one that waits for this caller, or one that waits for
    /// anybody.
    fn used(self: &Arc<Self>, place: &Arc<Place>, sending: &Sending, now: Instant) -> Option<Lease> {
        let shared =
            if self.target.may_share() { self.share(place, now).map(|stream| self.lease(place, stream)) } else { None };
        let private = || self.checkout_private(place, sending.owner()?, now);
        shared.or_else(private).or_else(|| self.checkout(place, now))
    }

    /// A connection that is new, or at least was not there a moment ago.
    async fn connect(self: &Arc<Self>, place: &Arc<Place>, wants_own: bool) -> Result<Lease, Failure> {
        if self.target.may_share() && !place.speaks_http1() && !wants_own {
            return self.connect_once(place).await;
        }
        self.open(place).await
    }

    /// A new connection, over the version of HTTP that both sides speak.
    async fn open(self: &Arc<Self>, place: &Arc<Place>) -> Result<Lease, Failure> {
        let has_room = self.load.is_some_and(|load| load.has_room());
        let opening = async {
            let (socket, is_http2) = dial::open(&self.target, &place.address, has_room).await?;
            place.spoke(is_http2);
            if is_http2 {
                Ok(self.lease(place, self.shared(place, socket).await?))
            } else {
                self.own(place, socket).await
            }
        };
        let (limit, begun) = (self.target.limits.connect, Instant::now());
        let opened = tokio::time::timeout(limit, opening).await.map_err(|_| Failure::from(refuse::CONNECT_TIMEOUT))?;
        if opened.is_ok() {
            self.counters.connect.note(begun.elapsed());
        }
        opened
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Why a body is not there as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incomplete {
    /// It is longer than the limit.
    TooLong,
    /// The connection ended before the body did.
    Cut,
}

/// A small body from the upstream, gathered for somebody who needs it whole (metadata). The limit is in bytes.
///
/// # Errors
/// When it is too long or the connection ends.
pub async fn gather(mut body: impl Body<Data = Bytes> + Unpin, limit: usize) -> Result<Bytes, Incomplete> {
    let mut all = bytes::BytesMut::new();
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        match frame {
            None => return Ok(all.freeze()),
            Some(Err(_)) => return Err(Incomplete::Cut),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    if all.len() + data.len() > limit {
                        return Err(Incomplete::TooLong);
                    }
                    all.extend_from_slice(&data);
                }
            }
        }
    }
}
