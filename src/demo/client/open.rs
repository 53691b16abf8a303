//! An answer under way: read to its end, or for as long as it is of interest.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::{Answer, LONGEST_BODY};

/// A head that came, and a body to come.
pub(in crate::demo) struct Open {
    answer: Answer,
    read: BytesMut,
    rest: Incoming,
    /// Both are kept for as long as the answer is read.
    _sender: SendRequest<Full<Bytes>>,
    _connection: Driven,
}

/// A connection, driven until this is dropped: nothing is left behind.
struct Driven(JoinHandle<()>);

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Open {
    pub(super) async fn begin(
        authority: &str,
        request: Request<Full<Bytes>>,
        origin: String,
        line: String,
    ) -> Result<Self, String> {
        let stream = TcpStream::connect(authority).await.map_err(|_| "no connection".to_owned())?;
        let lost = |_| "the connection was cut".to_owned();
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(lost)?;
        let connection = Driven(tokio::spawn(async move { drop(connection.await) }));
        let (head, rest) = sender.send_request(request).await.map_err(lost)?.into_parts();
        let (status, headers) = (head.status, head.headers);
        let answer = Answer { origin, line, status, headers, body: Bytes::new(), ended: false };
        Ok(Self { answer, read: BytesMut::new(), rest, _sender: sender, _connection: connection })
    }

    /// Reads to the end.
    pub(in crate::demo) async fn whole(self) -> Result<Answer, String> {
        let Self { answer, rest, _connection, .. } = self;
        let body = Limited::new(rest, LONGEST_BODY).collect().await.map_err(|_| "no whole body".to_owned())?;
        Ok(Answer { body: body.to_bytes(), ended: true, ..answer })
    }

    /// Reads until it is enough, the end has come or the time is up.
    pub(in crate::demo) async fn read(&mut self, patience: Duration, enough: impl Fn(&[u8]) -> bool) {
        let deadline = Instant::now() + patience;
        while !enough(&self.read) && self.read.len() < LONGEST_BODY {
            match timeout_at(deadline, self.rest.frame()).await {
                Ok(Some(Ok(frame))) => self.read.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Ok(None) => {
                    self.answer.ended = true;
                    return;
                }
                Ok(Some(Err(_))) | Err(_) => return,
            }
        }
    }

    /// What was read so far.
    pub(in crate::demo) fn text(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }

    /// The answer as far as it was read.
    pub(in crate::demo) fn close(self) -> Answer {
        Answer { body: self.read.freeze(), ..self.answer }
    }
}
