//! The proxy, started in this process.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use mcp_mend::cli::seal;
use mcp_mend::config::Config;
use mcp_mend::config::layers::{Layers, Value};
use mcp_mend::config::settings;
use mcp_mend::server::{self, Balance, Outlets, Running};
use mcp_mend::telemetry::access::AccessLog;
use mcp_mend::telemetry::flows::Flows;
use mcp_mend::telemetry::metrics::text::Form;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::soon;
use super::upstream::Upstream;
use super::wire::{Message, Wire};

/// The address that clients use, if a test states one.
pub const PUBLIC: &str = "https://mcp.example.com";

/// A proxy to be started.
pub struct Setup {
    given: Vec<(&'static str, String)>,
    /// A configuration file, for what only a file can say.
    file: String,
    balance: Balance,
}

/// A proxy at work. It stops when this is dropped.
pub struct Proxy {
    pub address: SocketAddr,
    pub running: Option<Running>,
    /// Who watches, if captures are wanted.
    pub flows: Option<Arc<Flows>>,
    given: Vec<(&'static str, String)>,
    log: Sink,
}

impl Proxy {
    /// A proxy before an upstream.
    pub fn to(upstream: &Upstream) -> Setup {
        Self::to_url(&format!("http://{}", upstream.address))
    }

    pub fn to_url(url: &str) -> Setup {
        let given = vec![
            ("upstream.url", url.to_owned()),
            ("listen", "127.0.0.1:0".to_owned()),
            ("threads", "1".to_owned()),
            // What clients here send as Host.
            ("hosts", "mcp.test,other.test,only.test,h".to_owned()),
            ("log.format", "json".to_owned()),
            // What an upstream is asked is part of most tests.
            ("no_probe", "true".to_owned()),
            // And what is said into silence is part of few.
            ("repairs", "stream.silence=off".to_owned()),
            ("limits.drain_seconds", "0.3".to_owned()),
        ];
        Setup { given, file: String::new(), balance: Balance::DEFAULT }
    }

    /// A proxy with the sites of this file alone.
    pub fn of_sites(file: &str) -> Setup {
        let Setup { mut given, balance, .. } = Self::to_url("");
        given.retain(|(key, _)| *key != "upstream.url");
        Setup { given, file: file.to_owned(), balance }
    }

    /// Takes up another file, with the settings of the start.
    pub fn reload(&self, file: &str) {
        self.running.as_ref().unwrap().reload(&config(&self.given, file)).unwrap();
    }

    /// Waits until all that was recorded is in flows and captures.
    pub async fn flush(&self) {
        let flows = self.flows.clone().unwrap();
        soon(tokio::task::spawn_blocking(move || flows.flush())).await.unwrap();
    }

    /// The metrics as Prometheus reads them.
    pub fn metrics(&self) -> String {
        self.running.as_ref().unwrap().vitals().metrics(Form::of(""))
    }

    /// A connection to the proxy.
    pub async fn connect(&self) -> Wire {
        let stream = soon(TcpStream::connect(self.address)).await.unwrap();
        let _ = stream.set_nodelay(true);
        Wire::new(stream)
    }

    /// Asks on a connection of its own, and hangs up.
    pub async fn ask(&self, request: impl AsRef<[u8]>) -> Message {
        let mut client = self.connect().await;
        client.send(request).await;
        client.reply().await
    }

    /// Waits for a line of the access log that holds this text.
    pub async fn logged(&self, text: &str) -> String {
        soon(async {
            loop {
                let written = self.log.written.notified();
                if let Some(line) = self.log().lines().find(|line| line.contains(text)) {
                    return line.to_owned();
                }
                written.await;
            }
        })
        .await
    }

    /// The access log so far.
    pub fn log(&self) -> String {
        String::from_utf8(self.log.text.lock().unwrap().clone()).unwrap()
    }

    /// Stops, and answers when all has ended.
    pub async fn stop(&mut self) {
        let running = self.running.take().unwrap();
        soon(tokio::task::spawn_blocking(move || running.stop())).await.unwrap();
    }
}

impl Setup {
    /// States a setting by its key, as the file would; a list with commas.
    pub fn set(mut self, key: &'static str, value: impl ToString) -> Self {
        self.given.retain(|(have, _)| *have != key);
        self.given.push((key, value.to_string()));
        self
    }

    /// Has the acceptor thread hand connections over.
    pub fn handing_over(mut self) -> Self {
        self.balance = Balance::HandOver;
        self
    }

    /// The checked configuration, for a reload.
    pub fn config(&self) -> Config {
        config(&self.given, &self.file)
    }

    pub fn start(self) -> Proxy {
        let config = self.config();
        let log = Sink::default();
        let access = AccessLog::start(config.process.log_format, log.clone());
        let flows = Flows::of(&config).unwrap();
        let outlets = Outlets { recorder: flows.clone().map(|flows| flows as _), ..access.into() };
        let running = server::start(&config, outlets, self.balance).unwrap();
        Proxy { address: running.address, running: Some(running), flows, given: self.given, log }
    }
}

fn config(given: &[(&'static str, String)], file: &str) -> Config {
    let (mut layers, mut complaints) = (Layers::default(), Vec::new());
    layers.take_file("test.toml", file, &mut complaints);
    for (key, text) in given {
        let setting = settings::find(key).unwrap_or_else(|| panic!("{key} is no setting"));
        let parts = match setting.kind {
            settings::Kind::List | settings::Kind::Modes => text.split(',').map(str::to_owned).collect(),
            _ => vec![text.clone()],
        };
        layers.set(setting, parts.into_iter().map(|text| Value { text, place: "test".into() }).collect());
    }
    seal::take_keys(&mut layers, &mut complaints);
    Config::check(&layers, complaints).unwrap()
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            std::thread::spawn(move || running.stop());
        }
    }
}

#[derive(Clone, Default)]
struct Sink {
    text: Arc<Mutex<Vec<u8>>>,
    written: Arc<Notify>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.text.lock().unwrap().extend_from_slice(bytes);
        self.written.notify_waiters();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
