//! An upstream whose answers are ready-made bytes. It has the defects that the benches let proxies mend: a bare 401,
//! metadata without CORS, registrations with fractions and nulls.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::answer::find;

/// Events of an answer to `?burst`.
pub const BURST: usize = 100;
/// Bytes of `/files/document`.
pub const DOCUMENT: usize = 1024 * 1024;
/// How long `?first` takes to end after its first event.
const PAUSE: Duration = Duration::from_millis(1);

const EVENT: &str = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"content\":[{\"type\":\"text\",\
                     \"text\":\"It rains in Oslo, 7 degrees.\"}],\"isError\":false}}\n\n";

const RESULT: &str = r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"weather","description":"The weather in a city","inputSchema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]}}"#;

const REGISTRATION: &str = r#"{"client_id":"0b5d6b8e-6f0a-4e0c-9c53-7d3f1f1f8a11","client_secret":"7d3f1f1f8a110b5d","client_id_issued_at":1749513600.25,"client_secret_expires_at":1749600000.0,"client_name":"Claude","client_uri":null,"logo_uri":null,"redirect_uris":["https://claude.ai/api/mcp/auth_callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}"#;

struct Answers {
    tools: Vec<u8>,
    refusal: Vec<u8>,
    registration: Vec<u8>,
    resource_metadata: Vec<u8>,
    server_metadata: Vec<u8>,
    document: Vec<u8>,
    nothing: Vec<u8>,
    events: Vec<u8>,
    event: Vec<u8>,
}

fn whole(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: bench\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

impl Answers {
    fn new(own: &str) -> Self {
        const JSON: &str = "application/json";
        let resource = format!(r#"{{"resource":"{own}/mcp","authorization_servers":["{own}"]}}"#);
        let server = format!(
            r#"{{"issuer":"{own}","authorization_endpoint":"{own}/authorize","token_endpoint":"{own}/token","registration_endpoint":"{own}/register","response_types_supported":["code"],"code_challenge_methods_supported":["S256"],"token_endpoint_auth_methods_supported":["none","client_secret_post"]}}"#
        );
        Self {
            tools: whole("200 OK", JSON, RESULT),
            refusal: whole("401 Unauthorized", JSON, r#"{"error":"unauthorized"}"#),
            registration: whole("201 Created", JSON, REGISTRATION),
            resource_metadata: whole("200 OK", JSON, &resource),
            server_metadata: whole("200 OK", JSON, &server),
            document: whole("200 OK", "application/octet-stream", &"0123456789abcdef".repeat(DOCUMENT / 16)),
            nothing: whole("404 Not Found", "text/plain", "nothing here"),
            events: b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: bench\r\n\
                      Content-Type: text/event-stream\r\nCache-Control: no-cache\r\n\
                      Mcp-Session-Id: 8f14e45fceea167a5a36dedd4bea2543\r\nTransfer-Encoding: chunked\r\n\r\n"
                .to_vec(),
            event: format!("{:x}\r\n{EVENT}\r\n", EVENT.len()).into_bytes(),
        }
    }
}

/// Serves until the listener fails.
///
/// # Errors
/// When it does.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let answers = Arc::new(Answers::new(&format!("http://{}", listener.local_addr()?)));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answers = answers.clone();
        tokio::spawn(async move {
            // A client that leaves is nobody's concern.
            let _ = converse(stream, &answers).await;
        });
    }
}

/// Starts an upstream on a thread of this process.
///
/// # Errors
/// When there is no port or no thread.
pub fn start() -> io::Result<SocketAddr> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = tokio.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
    let address = listener.local_addr()?;
    std::thread::Builder::new().name("upstream".into()).spawn(move || tokio.block_on(serve(listener)))?;
    Ok(address)
}

async fn converse(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    const LAST: &[u8] = b"0\r\n\r\n";
    let mut held = Vec::with_capacity(2048);
    while let Some(length) = request(&mut stream, &mut held).await? {
        let line = held.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let target = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        match target {
            b"/mcp?event" => {
                stream.write_all(&[&answers.events[..], &answers.event].concat()).await?;
                stream.write_all(LAST).await?;
            }
            b"/mcp?first" => {
                stream.write_all(&[&answers.events[..], &answers.event].concat()).await?;
                tokio::time::sleep(PAUSE).await;
                stream.write_all(LAST).await?;
            }
            b"/mcp?burst" => {
                stream.write_all(&answers.events).await?;
                for _ in 0..BURST {
                    stream.write_all(&answers.event).await?;
                    tokio::task::yield_now().await;
                }
                stream.write_all(LAST).await?;
            }
            b"/mcp?silent" => {
                stream.write_all(&[&answers.events[..], &answers.event].concat()).await?;
                drop(held);
                // Until the other side leaves.
                let _ = stream.read(&mut [0_u8; 1]).await?;
                return Ok(());
            }
            target => stream.write_all(answers.whole(target, &held)).await?,
        }
        held.drain(..length);
    }
    Ok(())
}

impl Answers {
    fn whole(&self, target: &[u8], request: &[u8]) -> &[u8] {
        match target {
            b"/mcp" if find(request, b"Bearer ").is_some() => &self.tools,
            b"/mcp" => &self.refusal,
            b"/register" => &self.registration,
            b"/.well-known/oauth-protected-resource/mcp" => &self.resource_metadata,
            b"/.well-known/oauth-authorization-server" => &self.server_metadata,
            b"/files/document" => &self.document,
            _ => &self.nothing,
        }
    }
}

/// Waits for a whole request; answers its length, or nothing when the client has left.
async fn request(stream: &mut TcpStream, held: &mut Vec<u8>) -> io::Result<Option<usize>> {
    loop {
        if let Some(head) = find(held, b"\r\n\r\n").map(|at| at + 4) {
            let length = head + body_length(&held[..head]);
            while held.len() < length {
                if stream.read_buf(held).await? == 0 {
                    return Ok(None);
                }
            }
            return Ok(Some(length));
        }
        if stream.read_buf(held).await? == 0 {
            return Ok(None);
        }
    }
}

fn body_length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"content-length:";
    let lines = head.split(|byte| *byte == b'\n');
    let mut values = lines.filter(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME));
    let digits = values.next().into_iter().flatten().filter(|byte| byte.is_ascii_digit());
    digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
}
