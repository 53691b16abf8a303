//! The built program, as a process of its own.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};

use super::soon;
use super::wire::Wire;

/// On any free port, for clients that send these as Host.
const HERE: [&str; 6] = ["--listen", "127.0.0.1:0", "--host", "mcp.test", "--host", "h"];

/// The proxy as a process.
pub struct Binary {
    pub address: SocketAddr,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// The program that is tested: the one that was built with the tests, or another for figures (`MCP_MEND`).
fn program() -> String {
    std::env::var("MCP_MEND").unwrap_or(env!("CARGO_BIN_EXE_mcp-mend").to_owned())
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs the program to its end: exit code, standard output, standard error.
pub async fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = soon(command(arguments).output()).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

impl Binary {
    /// Starts it and waits until it says where it listens.
    pub async fn start(arguments: &[&str]) -> Self {
        Self::start_in(&[], arguments).await
    }

    /// The same, where it speaks TLS.
    pub async fn start_tls(arguments: &[&str]) -> Self {
        Self::start_saying("listens on   https://", &[], arguments).await
    }

    /// The same, with these variables.
    pub async fn start_in(environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        Self::start_saying("listens on   http://", environment, arguments).await
    }

    async fn start_saying(before: &str, environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut all = Vec::from(HERE);
        all.extend(arguments);
        let mut command = command(&all);
        command.envs(environment.iter().copied());
        Self::began(command, before).await
    }

    /// As [`Binary::start`], where the system lets it open so many files and no more.
    pub async fn start_with_files(files: usize, arguments: &[&str]) -> Self {
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\""), &program()]);
        limited.args(HERE).args(arguments);
        limited.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Self::began(limited, "listens on   http://").await
    }

    /// The process, for who wants to measure it.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    async fn began(mut command: Command, before: &str) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        loop {
            let line = soon(lines.next_line()).await.unwrap().expect("it ended before it listened");
            if let Some((_, address)) = line.split_once(before) {
                return Self { address: address.parse().unwrap(), child, lines };
            }
        }
    }

    /// The next line of its standard output that has this text.
    pub async fn line_with(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.next_line().await.unwrap().expect("it ended before it said so");
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Starts it at an address, and waits until it accepts connections there.
    pub async fn start_at(address: SocketAddr, arguments: &[&str]) -> Self {
        let listen = address.to_string();
        let mut all = vec!["--listen", &listen, "--host", "mcp.test"];
        all.extend(arguments);
        let mut child = command(&all).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        soon(async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        })
        .await;
        Self { address, child, lines }
    }

    pub async fn connect(&self) -> Wire {
        Wire::new(soon(TcpStream::connect(self.address)).await.unwrap())
    }

    /// What comes after this text in what it prints.
    pub async fn said(&mut self, text: &str) -> String {
        loop {
            let line = soon(self.lines.next_line()).await.unwrap().expect("it ended without saying so");
            if let Some((_, said)) = line.split_once(text) {
                return said.to_owned();
            }
        }
    }

    /// How long it has computed (proc(5): clock ticks, a hundred a second).
    pub fn cpu(&self) -> std::time::Duration {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id().unwrap())).unwrap();
        let (_, fields) = text.rsplit_once(") ").unwrap();
        let ticks = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>();
        std::time::Duration::from_millis(ticks * 10)
    }

    /// Bytes of memory that it has now (proc(5): resident pages).
    pub fn memory(&self) -> u64 {
        const PAGE: u64 = 4096;
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id().unwrap())).unwrap();
        text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * PAGE
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().unwrap();
        let sent = std::process::Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().unwrap();
        assert!(sent.success());
    }

    /// The next line of its standard error that has this text.
    pub async fn complained(&mut self, text: &str) -> String {
        let stderr = self.child.stderr.as_mut().unwrap();
        soon(async {
            // Byte by byte: what comes after the line is left for others.
            let mut line = Vec::new();
            loop {
                match stderr.read_u8().await.expect("it ended without complaining") {
                    b'\n' => {
                        let said = String::from_utf8_lossy(&line).into_owned();
                        if said.contains(text) {
                            return said;
                        }
                        line.clear();
                    }
                    byte => line.push(byte),
                }
            }
        })
        .await
    }

    /// Waits for the end: exit code, the rest of standard output, standard error.
    pub async fn ended(mut self) -> (i32, String, String) {
        let mut out = String::new();
        while let Ok(Some(line)) = soon(self.lines.next_line()).await {
            out.push_str(&line);
            out.push('\n');
        }
        let mut errors = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            soon(stderr.read_to_string(&mut errors)).await.unwrap();
        }
        let status = soon(self.child.wait()).await.unwrap();
        (status.code().unwrap_or(-1), out, errors)
    }
}
