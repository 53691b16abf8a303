//! Memory of event streams on which nothing happens.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use super::callgrind::{Guard, listening};
use super::kit::answer::find;
use super::kit::requests;

/// Streams that are opened first: the allocator and the pools have their size then.
const FIRST: usize = 200;
const STREAMS: usize = 1000;

/// Bytes that the program holds for each stream.
pub fn bytes_each(program: &Path, upstream: SocketAddr) -> u64 {
    // Both ends of each are here.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let mut command = Command::new(program);
    command.arg(format!("http://{upstream}"));
    command.args(["--listen", "127.0.0.1:0", "--threads", "1", "--no-probe", "--log-format", "off"]);
    // They all come from one address.
    let streams = (2 * (FIRST + STREAMS)).to_string();
    command.args(["--limit-connections", &streams, "--limit-connections-per-peer", &streams]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = Guard(child.expect("the program"));
    let mut said = BufReader::new(child.0.stdout.take().expect("an output"));
    let address = listening(&mut said);
    // Somebody has to take the rest.
    let rest = std::thread::spawn(move || drop(std::io::copy(&mut said, &mut std::io::sink())));
    let open = |count| -> Vec<TcpStream> { (0..count).map(|_| open(address)).collect() };
    let first = open(FIRST);
    let before = resident(child.0.id());
    let others = open(STREAMS);
    let after = resident(child.0.id());
    drop((first, others, child));
    rest.join().expect("an end of the output");
    after.saturating_sub(before) / STREAMS as u64
}

/// A stream whose head has come.
fn open(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(&requests::listen(&address.to_string())).expect("a connection that stands");
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    while find(&head, b"\r\n\r\n").is_none() {
        let length = stream.read(&mut buffer).expect("an answer");
        assert!(length > 0, "the stream was not opened");
        head.extend_from_slice(&buffer[..length]);
    }
    assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// Bytes of a process that are in memory (proc_pid_status(5)).
fn resident(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process in memory");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number") * 1024
}
