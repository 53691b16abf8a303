//! The built proxy, as a process of its own.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const LIMIT: Duration = Duration::from_secs(30);

/// It ends when this is dropped.
pub struct Proxy {
    pub origin: String,
    _child: Child,
    /// Kept open: it writes its access log there.
    _lines: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub async fn start(upstream: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-mend"));
        command.args([upstream, "--listen", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let origin = tokio::time::timeout(LIMIT, listens(&mut lines)).await.expect("it does not start");
        let rest = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { origin, _child: child, _lines: rest }
    }
}

async fn listens(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    loop {
        let line = lines.next_line().await.unwrap().expect("it ended before it listened");
        if let Some((_, origin)) = line.split_once("listens on") {
            return origin.trim().to_owned();
        }
    }
}
