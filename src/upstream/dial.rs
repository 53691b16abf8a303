//! Opening a socket to an address.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::places::look_up;
use super::socket::{Raw, Socket};
use super::target::{Http2, Target, Tls};
use super::{Failure, refuse};
use crate::config::Address;
use crate::config::budget::with_room;
use crate::connection::socket::set_buffers;

/// How long an address has before the next one of the same name is tried beside it (RFC 8305 section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Opens a socket, with TLS if the upstream wants it. Answers also whether HTTP/2 is spoken over it.
pub(super) async fn open(target: &Target, address: &Address, has_room: bool) -> Result<(Socket, bool), Failure> {
    let raw = raw(target, address, has_room).await.map_err(|error| {
        Failure::new(if is_own(&error) { refuse::NO_DESCRIPTOR } else { refuse::UNREACHABLE }, error)
    })?;
    let Some(Tls { connector, name, .. }) = &target.tls else {
        return Ok((Socket::Plain(raw), target.http2 == Http2::PriorKnowledge));
    };
    let stream = connector.connect(name.clone(), raw).await.map_err(|error| {
        let is_tls = error.get_ref().is_some_and(|cause| cause.is::<rustls::Error>());
        Failure::new(if is_tls { refuse::NO_TRUST } else { refuse::UNREACHABLE }, error)
    })?;
    let speaks_http2 = match target.http2 {
        Http2::Never => false,
        Http2::PriorKnowledge => true,
        Http2::Auto => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
    };
    Ok((Socket::Tls(Box::new(stream)), speaks_http2))
}

/// Whether it is this process, or this machine, that can open nothing more: that says nothing of the address.
fn is_own(error: &io::Error) -> bool {
    // EMFILE and ENFILE, which have the same numbers on every Unix, and WSAEMFILE.
    let numbers: &[i32] = if cfg!(windows) { &[10024] } else { &[24, 23] };
    error.raw_os_error().is_some_and(|number| numbers.contains(&number))
}

async fn raw(target: &Target, address: &Address, has_room: bool) -> io::Result<Raw> {
    if let Some(dial) = &target.dial {
        return dial.dial(address).await.map(Raw::Other);
    }
    let buffers = target.limits.socket_bytes.map(|bytes| if has_room { with_room(bytes) } else { bytes });
    let stream = match address {
        Address::Ip(address) => connect(*address, buffers).await?,
        Address::Name(name, port) => race(look_up(name, *port).await?, buffers).await?,
        #[cfg(unix)]
        Address::Unix(path) => {
            let stream = tokio::net::UnixStream::connect(path).await?;
            if let Some(bytes) = buffers {
                set_buffers(SockRef::from(&stream), bytes)?;
            }
            return Ok(Raw::Unix(stream));
        }
        #[cfg(not(unix))]
        Address::Unix(_) => return Err(io::ErrorKind::Unsupported.into()),
    };
    let _ = stream.set_nodelay(true);
    Ok(Raw::Tcp(stream))
}

/// Connects. The sizes of the buffers are set before: what may be on its way is agreed on in the handshake.
async fn connect(address: SocketAddr, buffers: Option<usize>) -> io::Result<TcpStream> {
    let Some(bytes) = buffers else { return TcpStream::connect(address).await };
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    set_buffers(SockRef::from(&socket), bytes)?;
    socket.connect(address).await
}

/// Every address in turn, the next one as soon as one has failed or has had its head start; the first that answers is it.
async fn race(addresses: Vec<SocketAddr>, buffers: Option<usize>) -> io::Result<TcpStream> {
    if let [only] = addresses[..] {
        return connect(only, buffers).await;
    }
    let mut waiting = interleaved(addresses).into_iter();
    let mut trying = JoinSet::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        match waiting.next() {
            Some(next) => drop(trying.spawn(connect(next, buffers))),
            None if trying.is_empty() => return Err(last),
            None => {}
        }
        let outcome = match waiting.len() {
            0 => trying.join_next().await,
            _ => match timeout(HEAD_START, trying.join_next()).await {
                Ok(outcome) => outcome,
                Err(_) => continue,
            },
        };
        match outcome {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(error))) => last = error,
            Some(Err(_)) | None => {}
        }
    }
}

/// The families in turn, beginning with that of the first (RFC 8305 section 4): one that leads nowhere holds up little.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_first_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv6() == is_first_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = Vec::with_capacity(first.len() + second.len());
    loop {
        let pair = (first.next(), second.next());
        if let (None, None) = pair {
            return mixed;
        }
        mixed.extend(pair.0.into_iter().chain(pair.1));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::{HeaderMap, Method, Uri};
    use tokio::time::Instant;

    use super::super::target::Limits;
    use super::super::{Ownership, Proof, Question, Route, Upstream};
    use super::*;
    use crate::body::{RequestBody, Upload};
    use crate::edit::origin::Origin;
    use crate::tls::client::Trust;

    #[test]
    fn families_take_turns() {
        let all = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let given = all(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]);
        assert_eq!(interleaved(given), all(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]));
        assert_eq!(interleaved(Vec::new()), []);
    }

    struct Without(i32);

    impl crate::upstream::Dial for Without {
        fn dial(&self, _: &Address) -> crate::upstream::Dialling {
            let error = io::Error::from_raw_os_error(self.0);
            Box::pin(async move { Err(error) })
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_want_of_descriptors_says_nothing_of_an_address() {
        let second = Duration::from_secs(1);
        let limits = Limits {
            connect: second,
            first_byte: second,
            head_bytes: 8192,
            idle: second,
            age: second,
            socket_bytes: None,
        };
        for (number, refusal, is_healthy) in
            [(24, refuse::NO_DESCRIPTOR, true), (23, refuse::NO_DESCRIPTOR, true), (111, refuse::UNREACHABLE, false)]
        {
            let origin = Origin::of("http://192.0.2.1").unwrap();
            let target = Target::to(origin, limits, &Trust::default()).unwrap().dialled_by(Arc::new(Without(number)));
            let upstream = Upstream::new(Arc::new(target));
            let question = Question {
                method: Method::GET,
                target: Uri::from_static("/"),
                headers: HeaderMap::new(),
                body: RequestBody::Empty,
                upload: Upload::begun(Instant::now()),
                first_byte: None,
                route: Route::Home,
                proof: Proof::Nothing,
                owner: Ownership::Nobody,
            };
            let failure = upstream.ask(question).await.err().unwrap();
            let place = upstream.target.places.sole().unwrap();
            assert_eq!((failure.refusal, place.is_healthy(Instant::now())), (refusal, is_healthy), "{number}");
        }
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_one_refuses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        // Bound, so that nobody else gets the port, and not listening.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let gone = socket.local_addr().unwrap();
        let there = listener.local_addr().unwrap();
        assert_eq!(race(vec![gone, gone, there], None).await.unwrap().peer_addr().unwrap(), there);
        assert!(race(vec![gone, gone], None).await.is_err());
        assert!(race(Vec::new(), None).await.is_err());
    }
}
