//! Runs the program under Callgrind while it serves a number of requests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::Workload;
use super::kit::answer::Reader;
use super::profile::Profile;

/// A child that is killed if the bench ends early.
pub struct Guard(pub Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves so many requests over one connection; answers what was executed from start to end.
pub fn run(program: &Path, upstream: SocketAddr, workload: &Workload, requests: usize) -> Profile {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("callgrind.out");
    let mut command = Command::new("valgrind");
    command.arg("--tool=callgrind").arg("--quiet").arg(format!("--callgrind-out-file={}", file.display()));
    command.arg(program).arg(format!("http://{upstream}"));
    command.args(["--listen", "127.0.0.1:0", "--threads", "1", "--no-probe"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = command.spawn().expect("valgrind (Debian: apt install valgrind)");
    let mut child = Guard(child);
    let mut said = BufReader::new(child.0.stdout.take().expect("an output"));
    let address = listening(&mut said);
    // Nobody reads the access log, but somebody has to take it.
    let log = std::thread::spawn(move || drop(std::io::copy(&mut said, &mut std::io::sink())));
    serve(address, workload, requests);
    let ended = Command::new("kill").args(["-TERM", &child.0.id().to_string()]).status();
    assert!(ended.is_ok_and(|status| status.success()), "the program can be ended");
    assert!(child.0.wait().is_ok_and(|status| status.success()), "the program ends in order");
    log.join().expect("an end of the log");
    Profile::parse(&std::fs::read_to_string(&file).expect("what was counted"))
}

/// Waits for the banner.
pub fn listening(said: &mut impl std::io::BufRead) -> SocketAddr {
    let mut all = String::new();
    for line in said.by_ref().lines() {
        let line = line.expect("text");
        let address = line.split_once("listens on").and_then(|(_, rest)| rest.trim().strip_prefix("http://"));
        if let Some(address) = address {
            return address.parse().expect("an address");
        }
        all.push_str(&line);
        all.push('\n');
    }
    unreachable!("the program does not say where it listens:\n{all}")
}

fn serve(address: SocketAddr, workload: &Workload, requests: usize) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let request = (workload.request)(&address.to_string());
    let (mut reader, mut buffer) = (Reader::default(), vec![0; 1 << 16]);
    for _ in 0..requests {
        reader.reset();
        stream.write_all(&request).expect("a connection that stands");
        loop {
            let length = stream.read(&mut buffer).expect("an answer");
            assert!(length > 0, "the connection was closed within an answer");
            if reader.push(&buffer[..length]) {
                break;
            }
        }
        assert_eq!(reader.status(), workload.status, "{}: {}", workload.name, reader.text());
    }
}
