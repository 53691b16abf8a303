//! Who takes part: clients, the proxy, the upstream, and somebody who watches.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use mcp_mend::config::Config;
use mcp_mend::config::layers::{Layers, Value};
use mcp_mend::config::settings;
use mcp_mend::connection::Connection;
use mcp_mend::edit::origin::Origin;
use mcp_mend::proxy::{self, Worker};
use mcp_mend::runtime::{Common, Runtime};
use mcp_mend::telemetry::access::{AccessLog, Format};
use mcp_mend::upstream::{Address, Dial, Dialling, Stream, Target, Upstream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use turmoil::net::{TcpListener, TcpStream};

use super::course::Chance;

/// How a request ended for its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With a whole answer.
    Answered(u16, String),
    /// The connection or the answer broke off.
    Cut,
    /// The client lost patience, or had heard enough.
    Left,
}

/// What was seen in a run.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Every request that reached the upstream: its id and its method.
    pub seen: Vec<(String, String)>,
    pub told: BTreeMap<String, Ended>,
    pub asked: usize,
    /// How long after the last trouble a request was answered again.
    pub well_after: Option<Duration>,
    /// Tasks of the proxy beyond those that it had before the first request.
    pub tasks_left: Option<usize>,
}

type Shared = Arc<Mutex<Notes>>;
type Done = Result<(), Box<dyn std::error::Error>>;

/// The right answer to a request.
pub fn answer_of(id: &str) -> String {
    format!("this is the answer to {id}")
}

fn id_of(request: &Request<Incoming>) -> String {
    request.headers().get("x-id").and_then(|id| id.to_str().ok()).unwrap_or("nobody").to_owned()
}

/// Answers each request with its own text: at once, late, in pieces, or as events.
pub async fn upstream(notes: Shared) -> Done {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let notes = notes.clone();
        let service = service_fn(move |request: Request<Incoming>| answer(request, notes.clone()));
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// A body that comes through a channel.
struct Pieces(mpsc::Receiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

async fn answer(request: Request<Incoming>, notes: Shared) -> Result<Response<Pieces>, hyper::Error> {
    let (id, method) = (id_of(&request), request.method().to_string());
    let path = request.uri().path().to_owned();
    request.into_body().collect().await?;
    notes.lock().unwrap().seen.push((id.clone(), method));
    let mut chance = Chance::of(id.bytes().fold(7, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte)));
    sleep(Duration::from_millis(chance.below(200))).await;
    let (pieces, body) = mpsc::channel(1);
    let (text, is_slow) = (answer_of(&id), chance.below(3) == 0);
    tokio::spawn(async move {
        for letters in text.as_bytes().chunks(if is_slow { 6 } else { 100 }) {
            if pieces.send(Bytes::copy_from_slice(letters)).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(if is_slow { 60 } else { 0 })).await;
        }
    });
    let kind = if path == "/events" { "text/event-stream" } else { "text/plain" };
    let answer = Response::builder().header("content-type", kind);
    Ok(answer.body(Pieces(body)).unwrap())
}

/// Connections in the simulated network.
struct Simulated;

impl Dial for Simulated {
    fn dial(&self, _: &Address) -> Dialling {
        Box::pin(async { TcpStream::connect(("upstream", 80)).await.map(|stream| Box::new(stream) as Box<dyn Stream>) })
    }
}

fn config() -> Config {
    let mut layers = Layers::default();
    for (key, text) in [
        ("upstream.url", "http://upstream"),
        ("no_probe", "true"),
        ("limits.connect_seconds", "0.5"),
        ("limits.first_byte_seconds", "1"),
        ("limits.pool_idle_seconds", "2"),
        ("limits.idle_seconds", "2"),
        ("limits.head_seconds", "2"),
        ("limits.body_seconds", "2"),
    ] {
        layers.set(settings::find(key).unwrap(), vec![Value { text: text.into(), place: "test".into() }]);
    }
    Config::check(&layers, Vec::new()).unwrap()
}

/// The data path, before a socket of the simulated network.
pub async fn proxy(notes: Shared) -> Done {
    let config = config();
    let common = Common::new(AccessLog::start(Format::Off, std::io::sink()));
    let mut runtime = Runtime::of(&config.process, config.sites.first(), Origin::of("http://proxy")?, false, &common)?;
    runtime.target = Arc::new(Target::of(&config.process, config.sites.first())?.dialled_by(Arc::new(Simulated)));
    let upstream = Upstream::new(runtime.target.clone());
    let worker = Worker {
        runtime: Arc::new(runtime),
        upstream: upstream.clone(),
        stop_streams: CancellationToken::new(),
        recorder: None,
        sites: None,
        stray: None,
    };
    tokio::spawn(async move {
        loop {
            sleep(Duration::from_millis(500)).await;
            upstream.prune();
        }
    });
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).await?;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = sleep(Duration::from_millis(500)) => {
                notes.lock().unwrap().tasks_left = Some(tasks().saturating_sub(before));
                continue;
            }
        };
        let (worker, connection) = (worker.clone(), Arc::new(Connection::new(peer.ip(), false)));
        let service = service_fn(move |request| Box::pin(proxy::serve(worker.clone(), connection.clone(), request)));
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// Asks once on a connection of its own.
async fn ask(method: Method, path: &str, id: &str, patience: Duration) -> Ended {
    let whole = async {
        let stream = TcpStream::connect(("proxy", 80)).await.ok()?;
        let (mut sender, driving) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        let driving = tokio::spawn(driving);
        let body = if method == Method::POST { format!("the question {id}") } else { String::new() };
        let request = Request::builder().method(method).uri(path).header("host", "proxy").header("x-id", id);
        let answer = sender.send_request(request.body(Full::new(Bytes::from(body))).ok()?).await;
        let ended = match answer {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let body = answer.into_body().collect().await.ok();
                body.map(|body| (status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
            }
            Err(_) => None,
        };
        driving.abort();
        ended
    };
    match timeout(patience, whole).await {
        Ok(Some((status, text))) => Ended::Answered(status, text),
        Ok(None) => Ended::Cut,
        Err(_) => Ended::Left,
    }
}

/// Asks one thing after the other while things happen.
pub async fn client(number: u64, seed: u64, notes: Shared) -> Done {
    let mut chance = Chance::of(seed * 100 + number);
    for turn in 0..25 {
        let (kind, method, path) = match chance.below(5) {
            0 | 1 => ("get", Method::GET, "/x"),
            2 => ("post", Method::POST, "/x"),
            3 => ("post", Method::POST, "/mcp"),
            _ => ("get", Method::GET, "/events"),
        };
        let id = format!("{kind}-{number}-{turn}");
        notes.lock().unwrap().asked += 1;
        let patience = Duration::from_millis(if chance.below(5) == 0 { 150 } else { 6000 });
        let ended = ask(method, path, &id, patience).await;
        notes.lock().unwrap().told.insert(id, ended);
        sleep(Duration::from_millis(chance.below(300))).await;
    }
    Ok(())
}

/// Once all is well, asks until it is answered; and waits for the end.
pub async fn watcher(healed: Duration, over: Duration, notes: Shared) -> Done {
    let began = Instant::now();
    sleep_until(began + healed).await;
    let well = Instant::now();
    let (told, mut telling) = mpsc::channel(1);
    for number in 0..30 {
        let told = told.clone();
        tokio::spawn(async move {
            sleep(Duration::from_millis(50) * number).await;
            let id = format!("get-watcher-{number}");
            if let Ended::Answered(200, _) = ask(Method::GET, "/x", &id, Duration::from_secs(3)).await {
                let _ = told.try_send(well.elapsed());
            }
        });
    }
    drop(told);
    let after = telling.recv().await;
    notes.lock().unwrap().well_after = after;
    sleep_until(began + over).await;
    Ok(())
}
