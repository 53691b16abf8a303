//! TLS to clients: the right certificate by name, both protocols, new certificates without a dropped connection.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::kit::{BEFORE_DEFAULTS, Binary, Proxy, Upstream, Wire, get, ok, run, soon};

/// Believes everybody: what is looked at is which certificate comes.
#[derive(Debug)]
struct Believer;

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A client that speaks one version of TLS and offers these protocols.
fn client(version: &'static SupportedProtocolVersion, protocols: &[&str]) -> TlsConnector {
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Believer))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

/// Shakes hands with the proxy, asking for a name; an address asks for none.
async fn shake(
    address: std::net::SocketAddr,
    name: &str,
    connector: &TlsConnector,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = soon(TcpStream::connect(address)).await.unwrap();
    soon(connector.connect(ServerName::try_from(name.to_owned()).unwrap(), stream)).await
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

/// Writes a certificate and its key under a name.
fn write(folder: &Path, file: &str, host: &str) -> (PathBuf, PathBuf, CertificateDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![host.to_owned()]).unwrap().self_signed(&key).unwrap();
    let (cert_file, key_file) = (folder.join(format!("{file}.crt")), folder.join(format!("{file}.key")));
    fs::write(&cert_file, certificate.pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    (cert_file, key_file, certificate.der().clone())
}

fn listed(files: &[&Path]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(",")
}

#[tokio::test]
async fn the_client_chooses_the_protocol() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("tls.self_signed", "true").start();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for (offered, expected) in [
            (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
            (&["http/1.1", "h2"], Some(b"h2")),
            (&["http/1.1"], Some(b"http/1.1")),
            (&[], None),
        ] {
            let stream = shake(proxy.address, "localhost", &client(version, offered)).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), expected);
            if expected != Some(b"h2") {
                let mut wire = Wire::new(stream);
                for _ in 0..2 {
                    wire.send(get("/x", &[])).await;
                    assert_eq!(wire.reply().await.text(), "hello");
                }
            }
        }
        // Whoever speaks neither is told so (RFC 7301 section 3.2).
        assert!(shake(proxy.address, "localhost", &client(version, &["h3"])).await.is_err());
    }
}

#[tokio::test]
async fn the_upstream_hears_of_https() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("tls.self_signed", "true").start();
    assert_eq!(proxy.running.as_ref().unwrap().runtime.facts.public.as_str(), format!("https://{}", proxy.address));
    let mut wire = Wire::new(shake(proxy.address, "localhost", &client(&rustls::version::TLS13, &[])).await.unwrap());
    wire.send(get("/x", &[])).await;
    assert_eq!(wire.reply().await.status(), 200);
    let seen = upstream.seen();
    assert_eq!(seen[0].get("x-forwarded-proto"), Some("https"));
    assert_eq!(seen[0].get("forwarded"), Some("for=127.0.0.1;host=\"mcp.test\";proto=https"));
}

#[tokio::test]
async fn the_name_chooses_the_certificate() {
    let folder = TempDir::new().unwrap();
    let (first, second) = (write(folder.path(), "a", "a.example"), write(folder.path(), "b", "*.b.example"));
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream)
        .set("tls.cert_file", listed(&[&first.0, &second.0]))
        .set("tls.key_file", listed(&[&first.1, &second.1]))
        .start();
    for (name, expected) in [
        ("a.example", &first.2),
        ("x.b.example", &second.2),
        ("other.example", &first.2),
        // An address is no name: none is sent (RFC 6066 section 3).
        ("127.0.0.1", &first.2),
    ] {
        let stream = shake(proxy.address, name, &client(&rustls::version::TLS13, &[])).await.unwrap();
        assert_eq!(shown(&stream), *expected, "{name}");
    }
}

#[tokio::test]
async fn a_new_certificate_drops_nobody_and_a_bad_one_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let (cert_file, key_file, first) = write(folder.path(), "a", "a.example");
    let upstream = Upstream::sound().await;
    let proxy =
        Proxy::to(&upstream).set("tls.cert_file", cert_file.display()).set("tls.key_file", key_file.display()).start();
    let running = proxy.running.as_ref().unwrap();
    let connector = client(&rustls::version::TLS13, &[]);
    let connect = || shake(proxy.address, "a.example", &connector);
    let old = connect().await.unwrap();
    assert_eq!(shown(&old), first);
    let ends = running.runtime.life.certificates();
    assert_eq!((ends.len(), ends[0].name.as_str()), (1, "a.example"));
    let mut old = Wire::new(old);

    fs::write(&cert_file, "-----BEGIN CERTIFICATE-----\n").unwrap();
    let error = running.reload_certificates().unwrap_err().to_string();
    assert!(error.contains(&format!("tls.cert_file {}", cert_file.display())), "{error}");
    assert_eq!(shown(&connect().await.unwrap()), first);

    let (.., second) = write(folder.path(), "a", "a.example");
    assert!(running.reload_certificates().unwrap());
    let new = connect().await.unwrap();
    assert_eq!(shown(&new), second);
    for wire in [&mut old, &mut Wire::new(new)] {
        wire.send(get("/x", &[])).await;
        assert_eq!(wire.reply().await.text(), "hello");
    }
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_told_so() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("tls.self_signed", "true").start();
    for request in [get("/x", &[]), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()] {
        let mut client = proxy.connect().await;
        client.send(&request).await;
        let answer = client.reply().await;
        assert!(answer.status() == 400 && answer.text().contains("use https://"), "{answer:?}");
        assert!(client.until_closed().await.is_empty());
    }
    assert!(upstream.begun().is_empty());
}

#[tokio::test]
async fn who_never_ends_the_handshake_is_left() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("tls.self_signed", "true").set("limits.head_seconds", "0.3").start();
    // Nothing; the beginning of a hello; a hello of no known protocol.
    for start in [&b""[..], b"\x16\x03\x01\x02\x00\x01", b"\x16"] {
        let began = Instant::now();
        let mut client = proxy.connect().await;
        client.send(start).await;
        client.until_closed().await;
        assert!(began.elapsed() < BEFORE_DEFAULTS, "{start:?}");
    }
    // And who shook hands, and says nothing then.
    for protocols in [&["h2"][..], &[]] {
        let began = Instant::now();
        let stream = shake(proxy.address, "localhost", &client(&rustls::version::TLS13, protocols)).await.unwrap();
        Wire::new(stream).until_closed().await;
        assert!(began.elapsed() < Duration::from_secs(5), "{protocols:?}");
    }
}

#[tokio::test]
async fn old_versions_are_not_spoken() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("tls.self_signed", "true").set("tls.min_version", "1.3").start();
    assert!(shake(proxy.address, "localhost", &client(&rustls::version::TLS12, &[])).await.is_err());
    assert!(shake(proxy.address, "localhost", &client(&rustls::version::TLS13, &[])).await.is_ok());
}

#[tokio::test]
async fn an_event_stream_over_tls_ends_cleanly_at_the_stop() {
    let upstream = Upstream::script(|mut conn| async move {
        conn.next().await;
        conn.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        conn.send(crate::kit::chunk("data: 1\n\n")).await;
        conn.until_closed().await;
    })
    .await;
    let mut proxy = Proxy::to(&upstream).set("tls.self_signed", "true").start();
    let stream = shake(proxy.address, "localhost", &client(&rustls::version::TLS13, &[])).await.unwrap();
    // One that is still in its handshake does not hold the stop up.
    let silent = proxy.connect().await;
    let mut wire = Wire::new(stream);
    wire.send(get("/sse", &[])).await;
    assert_eq!(wire.head().await.unwrap().status(), 200);
    assert_eq!(wire.chunk().await.unwrap().unwrap(), b"data: 1\n\n");
    let began = Instant::now();
    proxy.stop().await;
    assert!(began.elapsed() < Duration::from_millis(1300), "{:?}", began.elapsed());
    assert_eq!(wire.chunk().await, Some(None), "the last chunk");
    drop(silent);
}

#[tokio::test]
async fn what_cannot_be_used_does_not_start() {
    let folder = TempDir::new().unwrap();
    let (cert_file, key_file, _) = write(folder.path(), "a", "a.example");
    let (.., other_key, _) = {
        let (cert, key, der) = write(folder.path(), "b", "b.example");
        (cert, key, der)
    };
    let text = |path: &Path| path.display().to_string();
    let missing = folder.path().join("missing.crt");
    for (flags, code, expected) in [
        (vec!["--tls-cert-file", &text(&cert_file)], 2, "write one tls.key_file for each tls.cert_file"),
        (vec!["--tls-key-file", &text(&key_file)], 2, "write one tls.cert_file for each tls.key_file"),
        (
            vec!["--tls-self-signed", "--tls-cert-file", &text(&cert_file), "--tls-key-file", &text(&key_file)],
            2,
            "leave tls.self_signed out",
        ),
        (vec!["--tls-min-version", "1.1", "--tls-self-signed"], 2, "write \"1.2\" or \"1.3\""),
        (vec!["--tls-cert-file", &text(&missing), "--tls-key-file", &text(&key_file)], 1, "missing.crt: No such file"),
        (
            vec!["--tls-cert-file", &text(&cert_file), "--tls-key-file", &text(&other_key)],
            1,
            "b.key: this is not the key of the first certificate in",
        ),
    ] {
        let mut arguments = vec!["http://127.0.0.1:1", "--listen", "127.0.0.1:0", "--no-probe"];
        arguments.extend(flags.iter().copied());
        let (exit, _, errors) = run(&arguments).await;
        assert_eq!(exit, code, "{errors}");
        assert!(errors.contains(expected), "{errors}");
    }
}

#[tokio::test]
async fn the_program_says_loudly_that_its_certificate_is_its_own() {
    let upstream = Upstream::always(ok("hello")).await;
    let url = format!("http://{}", upstream.address);
    let proxy = Binary::start_tls(&[&url, "--tls-self-signed", "--no-probe"]).await;
    let stream = shake(proxy.address, "localhost", &client(&rustls::version::TLS13, &[])).await.unwrap();
    let mut wire = Wire::new(stream);
    wire.send(get("/x", &[])).await;
    assert_eq!(wire.reply().await.text(), "hello");
    proxy.terminate();
    let (code, _, errors) = proxy.ended().await;
    assert_eq!(code, 0);
    assert!(errors.contains("WARN") && errors.contains("nobody vouches for it"), "{errors}");
}
