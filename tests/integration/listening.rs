//! Where connections come from, and how many there may be.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream, UnixStream};

use crate::kit::{Binary, Proxy, Upstream, Wire, get, ok, post, soon};

async fn dial(path: &std::path::Path) -> Wire<UnixStream> {
    Wire::new(soon(UnixStream::connect(path)).await.unwrap())
}

#[tokio::test]
async fn a_socket_file_serves_and_goes() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("mend.sock");
    let upstream = Upstream::sound().await;
    let mut proxy = Proxy::to(&upstream).set("listen", format!("unix:{}", path.display())).start();
    let found = std::fs::metadata(&path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o660);
    assert_eq!(proxy.running.as_ref().unwrap().runtime.facts.public.as_str(), "http://localhost");
    for _ in 0..3 {
        let mut client = dial(&path).await;
        for _ in 0..2 {
            client.send(get("/x", &[])).await;
            assert_eq!(client.reply().await.text(), "hello");
        }
    }
    let seen = &upstream.seen()[0];
    assert_eq!(seen.get("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.get("forwarded"), Some("for=127.0.0.1;host=\"mcp.test\";proto=http"));
    proxy.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn who_comes_by_a_socket_file_is_of_this_machine() {
    let folder = TempDir::new().unwrap();
    let upstream = Upstream::sound().await;
    for (allow, trusted, told, expected) in [
        ("127.0.0.1", "", "", 200),
        ("10.0.0.0/8", "", "", 403),
        // A stranger's word does not count, a trusted proxy's does.
        ("10.0.0.0/8", "", "X-Forwarded-For: 10.1.1.1", 403),
        ("10.0.0.0/8", "127.0.0.1", "X-Forwarded-For: 10.1.1.1", 200),
        ("10.0.0.0/8", "127.0.0.1", "X-Forwarded-For: 9.9.9.9", 403),
    ] {
        let path = folder.path().join("x.sock");
        let mut setup =
            Proxy::to(&upstream).set("listen", format!("unix:{}", path.display())).set("access.allow", allow);
        if !trusted.is_empty() {
            setup = setup.set("trusted_proxies", trusted);
        }
        let mut proxy = setup.start();
        let mut client = dial(&path).await;
        client
            .send(post("/mcp", &[told].iter().copied().filter(|line| !line.is_empty()).collect::<Vec<_>>(), "{}"))
            .await;
        assert_eq!(client.reply().await.status(), expected, "{allow} {trusted} {told}");
        proxy.stop().await;
    }
}

#[tokio::test]
async fn a_socket_that_somebody_answers_on_is_taken() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.sock");
    let upstream = Upstream::sound().await;
    let _first = Proxy::to(&upstream).set("listen", format!("unix:{}", path.display())).start();
    let listen = format!("unix:{}", path.display());
    let (code, _, errors) =
        crate::kit::run(&["http://127.0.0.1:1", "--listen", &listen, "--no-probe", "--public-url", "https://a.test"])
            .await;
    assert_eq!(code, 1);
    assert!(errors.contains("another process answers there"), "{errors}");
    let mut client = dial(&path).await;
    client.send(get("/x", &[])).await;
    assert_eq!(client.reply().await.status(), 200);
}

#[tokio::test]
async fn sockets_that_the_service_manager_opened_are_served() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.sock");
    let upstream = Upstream::sound().await;
    let url = format!("http://{}", upstream.address);
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
    for socket in [std::os::fd::OwnedFd::from(tcp), std::os::fd::OwnedFd::from(unix)] {
        // sd_listen_fds(3): the first is descriptor 3.
        let script = "exec 3<&0; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";
        let mut child = tokio::process::Command::new("sh")
            .args(["-c", script, "sh", env!("CARGO_BIN_EXE_mcp-mend"), &url, "--listen", "systemd", "--no-probe"])
            .args(["--public-url", "https://mcp.test"])
            .stdin(socket)
            .stdout(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // It listens already: whoever comes before the program waits.
        if path.exists() && upstream.seen().len() == 1 {
            let mut client = dial(&path).await;
            client.send(get("/x", &[])).await;
            assert_eq!(client.reply().await.text(), "hello");
        } else {
            let mut client = Wire::new(soon(TcpStream::connect(address)).await.unwrap());
            client.send(get("/x", &[])).await;
            assert_eq!(client.reply().await.text(), "hello");
        }
        let id = child.id().unwrap();
        std::process::Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status().unwrap();
        assert!(soon(child.wait()).await.unwrap().success());
    }
    assert!(path.exists(), "the service manager's file is not ours to remove");
    let (code, _, errors) = crate::kit::run(&[&url, "--listen", "systemd", "--no-probe"]).await;
    assert!(code == 1 && errors.contains("start it by a .socket unit"), "{errors}");
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("limits.connections", "2").start();
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut client = proxy.connect().await;
        client.send(get("/x", &[])).await;
        assert_eq!(client.reply().await.status(), 200);
        held.push(client);
    }
    // Those that ask at once and those that wait are both told.
    for asks in [true, false] {
        let mut client = proxy.connect().await;
        if asks {
            client.send(get("/x", &[])).await;
        }
        let answer = client.reply().await;
        assert_eq!((answer.status(), answer.get("retry-after")), (503, Some("1")));
        assert_eq!(answer.json()["error"], "too_many_connections");
        assert!(client.until_closed().await.is_empty());
    }
    let life = proxy.running.as_ref().unwrap().runtime.life.clone();
    let refused = || life.connections.refused.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(refused(), 2);
    // Those that are in are served, and who leaves makes room.
    held[0].send(get("/x", &[])).await;
    assert_eq!(held[0].reply().await.status(), 200);
    held.clear();
    soon(async {
        while proxy.ask(get("/x", &[])).await.status() != 200 {
            tokio::task::yield_now().await
        }
    })
    .await;
}

#[tokio::test]
async fn one_peer_has_only_its_share() {
    let upstream = Upstream::sound().await;
    let from = async |proxy: &Proxy, address: &str| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        let mut wire = Wire::new(soon(socket.connect(proxy.address)).await.unwrap());
        wire.send(get("/x", &[])).await;
        let status = wire.reply().await.status();
        (wire, status)
    };
    for (trusted, expected) in [("10.0.0.0/8", 503), ("127.0.0.2", 200)] {
        let proxy =
            Proxy::to(&upstream).set("limits.connections_per_peer", "2").set("trusted_proxies", trusted).start();
        let mut held = Vec::new();
        for _ in 0..2 {
            let (wire, status) = from(&proxy, "127.0.0.2").await;
            assert_eq!(status, 200);
            held.push(wire);
        }
        assert_eq!(from(&proxy, "127.0.0.2").await.1, expected, "{trusted}");
        assert_eq!(from(&proxy, "127.0.0.3").await.1, 200, "another has its own");
        held.clear();
        soon(async {
            while from(&proxy, "127.0.0.2").await.1 != 200 {
                tokio::task::yield_now().await
            }
        })
        .await;
    }
}

#[tokio::test]
async fn out_of_descriptors_it_waits_and_comes_back() {
    let upstream = Upstream::always(ok("hello")).await;
    let url = format!("http://{}", upstream.address);
    let proxy = Binary::start_with_files(84, &[&url, "--no-probe", "--threads", "1", "--log-format", "text"]).await;
    let spent = proxy.cpu();
    let began = Instant::now();
    let mut held = Vec::new();
    for _ in 0..150 {
        let mut client = proxy.connect().await;
        client.send(get("/x", &[])).await;
        held.push(client);
    }
    // Eight are what it counts on being able to serve, two fifths of what is left of the descriptors; one is for others.
    for client in &mut held[..7] {
        assert_eq!(client.reply().await.status(), 200);
    }
    for client in &mut held[7..] {
        assert_ne!(client.reply().await.status(), 200);
    }
    // Nobody more comes in, and that costs next to nothing.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (spent, lasted) = (proxy.cpu() - spent, began.elapsed());
    assert!(spent < lasted / 2, "{spent:?} of {lasted:?}");
    held.clear();
    let began = Instant::now();
    loop {
        let mut client = proxy.connect().await;
        client.send(get("/x", &[])).await;
        if client.reply().await.status() == 200 {
            break;
        }
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
