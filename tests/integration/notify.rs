//! What a service manager hears, by its own protocol: a datagram each, lines of assignments.

use tokio::net::UnixDatagram;

use crate::kit::{Binary, Upstream, soon};

/// What has been heard, until a message has this line.
async fn until(manager: &UnixDatagram, line: &str) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        let length = soon(manager.recv(&mut bytes)).await.unwrap();
        let message = std::str::from_utf8(&bytes[..length]).unwrap().to_owned();
        let found = message.lines().any(|assignment| assignment == line);
        heard.push(message);
        if found {
            return heard;
        }
    }
}

#[tokio::test]
async fn the_manager_hears_when_it_serves_lives_and_stops() {
    let upstream = format!("http://{}", Upstream::down().await);
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    let environment = [("NOTIFY_SOCKET", socket.to_str().unwrap()), ("WATCHDOG_USEC", "300000")];
    let proxy = Binary::start_in(&environment, &[&upstream, "--limit-drain-seconds", "3"]).await;

    let heard = until(&manager, "READY=1").await;
    let status = format!("STATUS=serving {} for {upstream}", proxy.address);
    assert!(heard.last().unwrap().lines().any(|line| line == status), "{heard:?}");
    // Twice: the workers turned in between.
    until(&manager, "WATCHDOG=1").await;
    until(&manager, "WATCHDOG=1").await;

    proxy.terminate();
    let heard = until(&manager, "STOPPING=1").await;
    assert!(heard.last().unwrap().contains("EXTEND_TIMEOUT_USEC=8000000\n"), "{heard:?}");
    assert_eq!(proxy.ended().await.0, 0);
}

#[tokio::test]
async fn the_manager_hears_of_a_reload_whatever_comes_of_it() {
    let upstream = format!("http://{}", Upstream::down().await);
    let folder = tempfile::tempdir().unwrap();
    let (socket, file) = (folder.path().join("notify"), folder.path().join("proxy.toml"));
    std::fs::write(&file, format!("upstream.url = \"{upstream}\"\n")).unwrap();
    let manager = UnixDatagram::bind(&socket).unwrap();
    let environment = [("NOTIFY_SOCKET", socket.to_str().unwrap())];
    let proxy = Binary::start_in(&environment, &["--config", file.to_str().unwrap()]).await;
    until(&manager, "READY=1").await;

    proxy.signal("HUP");
    let heard = until(&manager, "RELOADING=1").await;
    assert!(heard.last().unwrap().contains("MONOTONIC_USEC="), "{heard:?}");
    until(&manager, "READY=1").await;

    // By the file's change or the signal, whichever comes first.
    std::fs::write(&file, "upstream.url = 7\n").unwrap();
    proxy.signal("HUP");
    loop {
        let heard = until(&manager, "READY=1").await;
        if heard.last().unwrap().contains("is wrong: ") {
            break;
        }
    }
    proxy.terminate();
    assert_eq!(proxy.ended().await.0, 0);
}
