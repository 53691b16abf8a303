//! The load: closed loops over kept connections, on one thread, with requests made ready.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use super::kit::answer::Reader;
use super::workload::Workload;

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(20);

/// A workload aimed at a proxy.
pub struct Session<'a> {
    pub address: SocketAddr,
    pub workload: &'a Workload,
    pub request: Vec<u8>,
}

/// What a run came to.
#[derive(Default)]
pub struct Run {
    pub answers: usize,
    pub complaint: Option<String>,
}

/// A connection between two runs.
pub struct Connection {
    stream: TcpStream,
    reader: Reader,
    buffer: Vec<u8>,
    /// Its first answer is looked into; of the others the status and the length.
    judged: Option<usize>,
}

impl Session<'_> {
    pub async fn connect(&self) -> Vec<Connection> {
        let mut connections = Vec::with_capacity(self.workload.connections);
        for _ in 0..self.workload.connections {
            let stream = TcpStream::connect(self.address).await.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            let buffer = vec![0; 64 * 1024];
            connections.push(Connection { stream, reader: Reader::default(), buffer, judged: None });
        }
        connections
    }

    /// As many requests as told, over all connections.
    pub async fn run(&self, connections: &mut Vec<Connection>, requests: usize) -> Run {
        let left = Rc::new(Cell::new(requests));
        let tasks = LocalSet::new();
        let mut running = Vec::with_capacity(connections.len());
        for mut connection in connections.drain(..) {
            let (left, request, wanted) = (left.clone(), self.request.clone(), Expected::of(self.workload));
            running.push(tasks.spawn_local(async move {
                while let Some(next) = left.get().checked_sub(1) {
                    left.set(next);
                    if let Err(complaint) = connection.ask(&request, &wanted).await {
                        left.set(0);
                        return Err(complaint);
                    }
                }
                Ok(connection)
            }));
        }
        let mut run = Run { answers: requests, complaint: None };
        tasks
            .run_until(async {
                for task in running {
                    match task.await.expect("a task that does not panic") {
                        Ok(connection) => connections.push(connection),
                        Err(complaint) => run.complaint = Some(complaint),
                    }
                }
            })
            .await;
        run
    }
}

/// What a right answer has.
struct Expected {
    status: u16,
    has: &'static [&'static str],
    has_not: &'static [&'static str],
}

impl Expected {
    fn of(workload: &Workload) -> Self {
        Self { status: workload.status, has: workload.has, has_not: workload.has_not }
    }

    fn judge(&self, reader: &Reader) -> Result<(), String> {
        let text = reader.text().to_ascii_lowercase();
        let lacks = self.has.iter().find(|part| !text.contains(**part));
        let extra = self.has_not.iter().find(|part| text.contains(**part));
        let shown: String = text.chars().take(400).collect();
        match (lacks, extra) {
            (Some(part), _) => Err(format!("{part:?} is not in the answer: {shown}")),
            (_, Some(part)) => Err(format!("{part:?} is in the answer: {shown}")),
            (None, None) => Ok(()),
        }
    }
}

impl Connection {
    async fn ask(&mut self, request: &[u8], wanted: &Expected) -> Result<(), String> {
        self.reader.reset();
        self.stream.write_all(request).await.map_err(|error| error.to_string())?;
        loop {
            let count = self.stream.read(&mut self.buffer).await.map_err(|error| error.to_string())?;
            if count == 0 {
                return Err(format!("closed after {:?}", self.reader.text()));
            }
            if self.reader.push(&self.buffer[..count]) {
                break;
            }
        }
        let status = self.reader.status();
        if status != wanted.status {
            return Err(format!("status {status}"));
        }
        if self.judged.is_none() {
            wanted.judge(&self.reader)?;
            self.judged = Some(self.reader.body_bytes);
        }
        Ok(())
    }
}

/// Opens streams and holds them, each with its first event read.
///
/// # Errors
/// What went wrong, as text.
pub async fn hold(address: SocketAddr, request: &[u8], count: usize) -> Result<Vec<TcpStream>, String> {
    let mut held = Vec::with_capacity(count);
    let mut reader = Reader::default();
    let mut buffer = vec![0; 16 * 1024];
    for _ in 0..count {
        reader.reset();
        let opening = async {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(request).await?;
            while !reader.has_body() {
                let count = stream.read(&mut buffer).await?;
                if count == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                reader.push(&buffer[..count]);
            }
            Ok(stream)
        };
        let stream = tokio::time::timeout(PATIENCE, opening).await.map_err(|_| "no event came".to_owned())?;
        held.push(stream.map_err(|error: std::io::Error| error.to_string())?);
    }
    // What was freed on the way settles.
    tokio::time::sleep(Duration::from_millis(300)).await;
    Ok(held)
}
