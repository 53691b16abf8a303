//! The proxy's own data path between a probe and the server that is checked, in memory: what mends also finds.
//!
//! Repairs of answers run as they do in the proxy, so that one defect does not hide those behind it. Repairs of requests
//! are only observed: whether one is needed shows when the server refuses the plain request and takes the mended one.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_LENGTH, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::config::{ProcessConfig, SiteConfig};
use crate::connection::Connection;
use crate::learn;
use crate::proxy::{self, Worker};
use crate::repair::{Hook, Mode};
use crate::repairs::REPAIRS;
use crate::runtime::{Common, Runtime};
use crate::seal::SealKeys;
use crate::server::StartError;
use crate::tape::{RecordedExchange, Recorder};
use crate::telemetry::access::{AccessLog, Format};
use crate::upstream::Upstream;

/// How long one request may take: a little more than hosted clients grant a server while they log in (field report 7), so
/// that what comes just in time is seen.
const PATIENCE: Duration = Duration::from_secs(12);
/// How long a tape may come after the end of its answer.
const TAPE_PATIENCE: Duration = Duration::from_secs(2);
/// More than any answer that a check reads.
const LONGEST_BODY: usize = 1024 * 1024;
/// What both ends of the connection in memory may hold.
const PIPE_BYTES: usize = 64 * 1024;
/// The longest silence that a check waits for, however long `limits.silence_seconds` is.
const LONGEST_SILENCE: Duration = Duration::from_secs(15);
/// How far behind the proxy's own comment a silent event stream is reported.
const BEHIND_COMMENT: Duration = Duration::from_millis(1500);
/// How far behind the report the check stops listening.
const BEHIND_REPORT: Duration = Duration::from_millis(1500);

/// A question of the check.
#[derive(Clone, Debug)]
pub struct Probe {
    /// What it is, for people.
    pub name: &'static str,
    pub method: Method,
    /// Path and query.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// How much of an event stream is read.
    pub listen: Listen,
    /// Whether nothing has to be there.
    pub is_beside: bool,
    /// Whether it is put once and never again.
    pub is_once: bool,
    /// Hears the body as it comes.
    pub heard: Option<mpsc::UnboundedSender<Bytes>>,
}

/// How much of an event stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// To its end, or for as long as any answer may take.
    Answer,
    /// Until the first event, and then no more.
    Opening,
    /// For so long.
    For(Duration),
}

impl Probe {
    #[must_use]
    pub fn new(name: &'static str, method: Method, target: impl Into<String>) -> Self {
        let headers = HeaderMap::new();
        Self {
            name,
            method,
            target: target.into(),
            headers,
            body: Bytes::new(),
            listen: Listen::Answer,
            is_beside: false,
            is_once: false,
            heard: None,
        }
    }

    /// With a header field; a value that is none is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    #[must_use]
    pub fn without(mut self, name: HeaderName) -> Self {
        self.headers.remove(name);
        self
    }

    #[must_use]
    pub fn listening(mut self, listen: Listen) -> Self {
        self.listen = listen;
        self
    }

    /// Never put again.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.is_once = true;
        self
    }

    /// Where nothing has to be.
    #[must_use]
    pub fn beside(mut self) -> Self {
        self.is_beside = true;
        self
    }

    #[must_use]
    pub fn body(self, kind: &str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self { body, ..self.header(http::header::CONTENT_TYPE, kind) }
    }

    #[must_use]
    pub fn json(self, body: &serde_json::Value) -> Self {
        self.body("application/json", body.to_string())
    }

    #[must_use]
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", form)
    }
}

/// An answer as the client of a mended server gets it.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whether the body came to its end while it was read.
    pub ended: bool,
}

/// A probe and what became of it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub probe: &'static str,
    /// Whether nothing has to be there: then a plain 404 is as good as any answer.
    pub is_beside: bool,
    pub taped: Option<RecordedExchange>,
    /// What came; without an answer, why.
    pub answer: Result<Answer, String>,
}

/// The data path before the server that is checked.
pub struct Stand {
    process: ProcessConfig,
    site: SiteConfig,
    is_loopback: bool,
    plain: Worker,
    /// By the request repair that mends there.
    mending: Mutex<BTreeMap<&'static str, Worker>>,
    authority: HeaderValue,
    agent: Option<HeaderValue>,
    /// Until when questions are asked, and how many came too late.
    until: Mutex<Option<Instant>>,
    unasked: AtomicUsize,
}

impl Stand {
    /// Stands before the upstream of `site`; clients are taken to use that very address.
    ///
    /// # Errors
    /// When the server's name or the TLS files cannot be used.
    pub fn new(process: &ProcessConfig, site: &SiteConfig) -> Result<Self, StartError> {
        let mut site = SiteConfig { public: Some(site.upstream.clone()), ..site.clone() };
        // What this very path has begun it has to go on with: open the session id that it has sealed, and ask where it was
        // redirected to, or each question would show the redirect and nothing else.
        for repair in REPAIRS.iter().filter(|repair| matches!(repair.hook, Hook::Request { goes_on: false, .. })) {
            site.modes.entry(repair.id).or_insert(Mode::Observe);
        }
        let is_loopback = site.upstream.is_loopback();
        let authority = HeaderValue::from_str(site.upstream.authority()).map_err(|_| StartError::Authority)?;
        let plain = worker(process, &site, is_loopback, None)?;
        Ok(Self {
            process: process.clone(),
            site,
            is_loopback,
            plain,
            mending: Mutex::default(),
            authority,
            agent: None,
            until: Mutex::default(),
            unasked: AtomicUsize::new(0),
        })
    }

    /// As this client calls itself.
    #[must_use]
    pub fn calling_itself(mut self, agent: Option<&str>) -> Self {
        self.agent = agent.and_then(|agent| HeaderValue::from_str(agent).ok());
        self
    }

    /// From now on there is so much time for all questions.
    pub fn begin(&self, time: Duration) {
        if let Ok(mut until) = self.until.lock() {
            *until = Some(Instant::now() + time);
        }
        self.unasked.store(0, Ordering::Relaxed);
    }

    /// So long nothing was asked, for somebody was waited for.
    pub fn waited(&self, time: Duration) {
        if let Ok(mut until) = self.until.lock() {
            *until = until.map(|until| until + time);
        }
    }

    /// How many questions came too late to be asked.
    #[must_use]
    pub fn unasked(&self) -> usize {
        self.unasked.load(Ordering::Relaxed)
    }

    fn until(&self) -> Option<Instant> {
        self.until.lock().ok().and_then(|until| *until)
    }

    /// What workers of the plain path share.
    #[must_use]
    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.plain.runtime
    }

    #[must_use]
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.plain.upstream
    }

    /// A stream is listened to for longer than any silence may last in it.
    #[must_use]
    pub fn listening(&self) -> Listen {
        Listen::For(self.plain.runtime.bounds.silence + BEHIND_REPORT)
    }

    /// Asks, with repairs of requests observed.
    pub async fn ask(&self, probe: Probe) -> Seen {
        self.ask_through(&self.plain, probe).await
    }

    /// Asks, with this one repair of requests at work.
    pub async fn ask_with(&self, id: &'static str, probe: Probe) -> Option<Seen> {
        let worker = self.mending(id)?;
        // Each asking for itself would put the same questions dozens of times, and wait for each that has no answer.
        learn::know_all(&self.plain.runtime, &self.plain.upstream).await;
        worker.runtime.learner.adopt(&self.plain.runtime.learner);
        Some(self.ask_through(&worker, probe).await)
    }

    fn mending(&self, id: &'static str) -> Option<Worker> {
        let mut mending = self.mending.lock().ok()?;
        if let Some(worker) = mending.get(id) {
            return Some(worker.clone());
        }
        let mut site = self.site.clone();
        site.modes.insert(id, Mode::Fix);
        let worker = worker(&self.process, &site, self.is_loopback, Some(&self.plain.runtime.facts.seal)).ok()?;
        mending.insert(id, worker.clone());
        Some(worker)
    }

    async fn ask_through(&self, worker: &Worker, probe: Probe) -> Seen {
        if self.until().is_some_and(|until| until <= Instant::now()) {
            self.unasked.fetch_add(1, Ordering::Relaxed);
            let answer = Err("there was no time left".to_owned());
            return Seen { probe: probe.name, is_beside: probe.is_beside, taped: None, answer };
        }
        let (sender, mut tapes) = mpsc::unbounded_channel();
        let worker = Worker { recorder: Some(Arc::new(Tapes(sender))), ..worker.clone() };
        let answer = self.talk(worker, &probe).await;
        // The answer is gone by now, and with it the exchange has ended.
        let taped = timeout(TAPE_PATIENCE, tapes.recv()).await.ok().flatten();
        Seen { probe: probe.name, is_beside: probe.is_beside, taped, answer }
    }

    async fn talk(&self, worker: Worker, probe: &Probe) -> Result<Answer, String> {
        let request = self.request(probe)?;
        let (client, server) = tokio::io::duplex(PIPE_BYTES);
        let connection = Arc::new(Connection::new(IpAddr::V4(Ipv4Addr::LOCALHOST), false));
        let service = service_fn(move |request| Box::pin(proxy::serve(worker.clone(), connection.clone(), request)));
        let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service);
        let _serving = AbortOnDropHandle::new(tokio::spawn(async move { drop(serving.await) }));
        let lost = |_| "the connection was cut".to_owned();
        let (mut sender, driving) = hyper::client::conn::http1::handshake(TokioIo::new(client)).await.map_err(lost)?;
        let _driving = AbortOnDropHandle::new(tokio::spawn(async move { drop(driving.await) }));
        let limit = match probe.listen {
            Listen::For(time) => time.max(PATIENCE),
            _ => PATIENCE,
        };
        let until = |time: Duration| {
            let until = Instant::now() + time;
            self.until().map_or(until, |last| last.min(until))
        };
        let deadline = until(limit);
        let response = timeout_at(deadline, sender.send_request(request)).await;
        let (head, body) =
            response.map_err(|_| format!("no answer within {} s", limit.as_secs()))?.map_err(lost)?.into_parts();
        let is_stream = head.headers.get(http::header::CONTENT_TYPE).is_some_and(is_event_stream);
        let heard = probe.heard.as_ref();
        let (body, ended) = match (is_stream, probe.listen) {
            (true, Listen::Opening) => {
                read(body, deadline.min(Instant::now() + Duration::from_secs(2)), heard, has_event).await
            }
            (true, Listen::For(time)) => read(body, until(time), heard, |_| false).await,
            _ => read(body, deadline, heard, |_| false).await,
        };
        Ok(Answer { status: head.status, headers: head.headers, body, ended })
    }

    fn request(&self, probe: &Probe) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::new(Full::new(probe.body.clone()));
        *request.method_mut() = probe.method.clone();
        *request.uri_mut() = probe.target.parse().map_err(|_| format!("`{}` is no path", probe.target))?;
        let mut headers = probe.headers.clone();
        headers.insert(HOST, self.authority.clone());
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        let own = HeaderValue::from_static(concat!("mcp-mend/", env!("CARGO_PKG_VERSION")));
        let agent = headers.entry(USER_AGENT).or_insert_with(|| self.agent.clone().unwrap_or(own));
        if agent.is_empty() {
            headers.remove(USER_AGENT);
        }
        if probe.method == Method::POST {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(probe.body.len()));
        }
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// A worker of its own, with a key of its own for session ids unless it shall open those of another.
fn worker(
    process: &ProcessConfig,
    site: &SiteConfig,
    is_loopback: bool,
    seal: Option<&SealKeys>,
) -> Result<Worker, StartError> {
    let silent = AccessLog::start(Format::Off, std::io::sink());
    let mut runtime = Runtime::of(process, site, site.upstream.clone(), is_loopback, &Common::new(silent))?;
    (runtime.as_client, runtime.plan.names_parts) = (true, true);
    if let Some(seal) = seal {
        runtime.facts.seal = seal.clone();
    }
    let silence = process.limits.silence.min(LONGEST_SILENCE) + BEHIND_COMMENT;
    (runtime.bounds.first_silence, runtime.bounds.silence) = (silence, silence);
    let upstream = Upstream::new(runtime.target.clone());
    Ok(Worker {
        runtime: Arc::new(runtime),
        upstream,
        stop_streams: CancellationToken::new(),
        recorder: None,
        sites: None,
        stray: None,
    })
}

struct Tapes(mpsc::UnboundedSender<RecordedExchange>);

impl Recorder for Tapes {
    fn opened(&self, _: &RecordedExchange) {}

    fn ended(&self, taped: RecordedExchange) {
        let _ = self.0.send(taped);
    }
}

fn is_event_stream(kind: &HeaderValue) -> bool {
    crate::exchange::is_media_type(kind, "text/event-stream")
}

fn has_event(text: &[u8]) -> bool {
    crate::sse::events(&Bytes::copy_from_slice(text)).next().is_some()
}

/// Reads until it is enough, the end has come or the time is up; answers also whether it was the end.
async fn read(
    mut body: Incoming,
    until: Instant,
    heard: Option<&mpsc::UnboundedSender<Bytes>>,
    enough: impl Fn(&[u8]) -> bool,
) -> (Bytes, bool) {
    let mut text = BytesMut::new();
    while text.len() < LONGEST_BODY && !enough(&text) {
        match timeout_at(until, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                let data = frame.into_data().unwrap_or_default();
                text.extend_from_slice(&data);
                if let Some(heard) = heard {
                    let _ = heard.send(data);
                }
            }
            Ok(None) => return (text.freeze(), true),
            Ok(Some(Err(_))) | Err(_) => break,
        }
    }
    (text.freeze(), false)
}
