//! Descriptors: what one client can make the proxy keep open leaves enough for others.

use h2::client::SendRequest;
use tokio::net::{TcpSocket, TcpStream};

use crate::kit::{Binary, Upstream, Wire, ok, post, soon};

const FILES: usize = 200;
const CONNECTIONS: usize = 40;
/// Requests at a time of each.
const STREAMS: usize = 8;

async fn connect_from(source: &str, proxy: &Binary) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
    soon(socket.connect(proxy.address)).await.unwrap()
}

/// Posts on so many streams at a time, each of which wants a connection to the upstream that nobody else may use.
async fn post_at_once(sender: &mut SendRequest<bytes::Bytes>) {
    let mut answers = Vec::new();
    for _ in 0..STREAMS {
        let request = http::Request::post("http://mcp.test/x").header("authorization", "Bearer a").body(()).unwrap();
        let (answer, mut upload) = sender.send_request(request, false).unwrap();
        upload.send_data(bytes::Bytes::from_static(b"abc"), true).unwrap();
        answers.push(answer);
    }
    for answer in answers {
        assert_eq!(soon(answer).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn connections_that_nobody_else_may_use_leave_descriptors_for_others() {
    let upstream = Upstream::always(ok("hello")).await;
    let url = format!("http://{}", upstream.address);
    // Until the end they are young enough.
    let arguments = [&url, "--no-probe", "--threads", "1", "--log-format", "off", "--limit-pool-idle-seconds", "60"];
    let proxy = Binary::start_with_files(FILES, &arguments).await;
    let mut crowd = Vec::new();
    for number in 0..CONNECTIONS {
        let (mut sender, connection) =
            soon(h2::client::handshake(connect_from("127.0.0.1", &proxy).await)).await.unwrap();
        tokio::spawn(connection);
        post_at_once(&mut sender).await;
        crowd.push(sender);
        if number % 5 == 4 {
            let mut other = Wire::new(connect_from("127.0.0.2", &proxy).await);
            other.send(post("/x", &[], "hi")).await;
            assert_eq!(other.reply().await.status(), 200, "behind {number}");
        }
    }
}
