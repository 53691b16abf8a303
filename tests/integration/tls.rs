//! An upstream behind TLS: believed only with a certificate for its name from somebody who is trusted.

use std::io::Write;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::kit::{Message, Proxy, Wire, get, ok};

/// Somebody who issues certificates.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, params: &CertificateParams) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().der().clone(), key)
    }

    /// Certificate and key as files hold them.
    fn issue_pem(&self, params: &CertificateParams) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

/// What the proxy answers with an upstream of this certificate, trusting these authorities.
async fn asked(host: &str, (certificate, key): (CertificateDer<'static>, KeyPair), trusted: &str) -> Message {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let mut wire = Wire::new(stream);
                while let Some(request) = wire.request().await {
                    wire.send(ok(request.get("host").unwrap_or_default())).await;
                }
            });
        }
    });
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(trusted.as_bytes()).unwrap();
    let proxy = Proxy::to_url(&format!("https://{host}:{port}")).set("upstream.ca_file", file.path().display()).start();
    let mut client = proxy.connect().await;
    client.send(get("/x", &[])).await;
    let answer = client.reply().await;
    if answer.status() == 200 {
        assert_eq!(answer.text(), format!("{host}:{port}"));
        client.send(get("/x", &[])).await;
        assert_eq!(client.reply().await.status(), 200);
    } else {
        assert_eq!((answer.status(), &answer.json()["error"]), (502, &"upstream_certificate".into()));
        assert!(!answer.all_text().contains(&port.to_string()));
    }
    server.abort();
    answer
}

#[tokio::test]
async fn a_right_certificate_is_believed() {
    let authority = Authority::new();
    for host in ["localhost", "127.0.0.1"] {
        let answer = asked(host, authority.issue(&params(host)), &authority.pem).await;
        assert_eq!(answer.status(), 200, "{host}");
    }
}

#[tokio::test]
async fn any_other_certificate_is_not() {
    let (authority, other) = (Authority::new(), Authority::new());
    let own = KeyPair::generate().unwrap();
    let self_signed = params("localhost").self_signed(&own).unwrap().der().clone();
    let mut expired = params("localhost");
    (expired.not_before, expired.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    let mut early = params("localhost");
    (early.not_before, early.not_after) = (date_time_ymd(2090, 1, 1), date_time_ymd(2091, 1, 1));
    for (what, certificate) in [
        ("self-signed", (self_signed, own)),
        ("wrong host", authority.issue(&params("other.example"))),
        ("wrong address", authority.issue(&params("127.0.0.1"))),
        ("expired", authority.issue(&expired)),
        ("not yet valid", authority.issue(&early)),
        ("another authority", other.issue(&params("localhost"))),
    ] {
        assert_eq!(asked("localhost", certificate, &authority.pem).await.status(), 502, "{what}");
    }
}

#[tokio::test]
async fn an_upstream_that_speaks_no_tls_is_502() {
    let upstream = crate::kit::Upstream::always("HTTP/1.1 200 OK\r\n\r\n").await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(Authority::new().pem.as_bytes()).unwrap();
    let url = format!("https://127.0.0.1:{}", upstream.address.port());
    let proxy =
        Proxy::to_url(&url).set("upstream.ca_file", file.path().display()).set("limits.connect_seconds", "2").start();
    assert!(matches!(proxy.ask(get("/x", &[])).await.status(), 502 | 504));
}

/// A server behind TLS that says whom it took its client for and what was spoken.
async fn server(authority: &Authority, asks_for: Option<&Authority>, protocols: &[&[u8]]) -> u16 {
    let (certificate, key) = authority.issue(&params("mcp.internal"));
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        rustls::ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match asks_for {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let state = stream.get_ref().1;
                let named = state.server_name().unwrap_or("nobody").to_owned();
                let known = state.peer_certificates().is_some_and(|chain| !chain.is_empty());
                if state.alpn_protocol() == Some(b"h2") {
                    let mut http2 = h2::server::handshake(stream).await.unwrap();
                    while let Some(Ok((request, mut answer))) = http2.accept().await {
                        let text = format!("h2 {named} {known} {}", request.uri());
                        let mut body = answer.send_response(http::Response::new(()), false).unwrap();
                        body.send_data(text.into(), true).unwrap();
                    }
                    return;
                }
                let mut wire = Wire::new(stream);
                while let Some(request) = wire.request().await {
                    let host = request.get("host").unwrap_or_default();
                    wire.send(ok(&format!("http/1.1 {named} {known} {host}"))).await;
                }
            });
        }
    });
    port
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[tokio::test]
async fn http2_is_spoken_where_both_agree() {
    let authority = Authority::new();
    let trusted = file(&authority.pem);
    for (when, protocols, spoken) in [
        ("auto", &[&b"h2"[..], b"http/1.1"][..], "h2"),
        ("auto", &[b"http/1.1"], "http/1.1"),
        ("auto", &[], "http/1.1"),
        ("never", &[b"h2", b"http/1.1"], "http/1.1"),
        ("prior-knowledge", &[b"h2", b"http/1.1"], "h2"),
    ] {
        let port = server(&authority, None, protocols).await;
        let proxy = Proxy::to_url(&format!("https://localhost:{port}"))
            .set("upstream.ca_file", trusted.path().display())
            .set("upstream.server_name", "mcp.internal")
            .set("upstream.http2", when)
            .start();
        for _ in 0..3 {
            let answer = proxy.ask(get("/x", &[])).await;
            let origin = if spoken == "h2" { "https://localhost" } else { "localhost" };
            let path = if spoken == "h2" { "/x" } else { "" };
            assert_eq!(answer.text(), format!("{spoken} mcp.internal false {origin}:{port}{path}"), "{when}");
        }
    }
}

#[tokio::test]
async fn a_client_is_known_by_its_certificate() {
    let (authority, clients, other) = (Authority::new(), Authority::new(), Authority::new());
    let port = server(&authority, Some(&clients), &[]).await;
    let trusted = file(&authority.pem);
    for (issuer, known) in [(Some(&clients), true), (Some(&other), false), (None, false)] {
        let mut setup = Proxy::to_url(&format!("https://mcp.internal:{port}"))
            .set("upstream.addresses", format!("127.0.0.1:{port}"))
            .set("upstream.ca_file", trusted.path().display());
        let mut files = Vec::new();
        if let Some(issuer) = issuer {
            let (certificate, key) = issuer.issue_pem(&params("proxy"));
            files = vec![file(&certificate), file(&key)];
            setup = setup
                .set("upstream.cert_file", files[0].path().display())
                .set("upstream.key_file", files[1].path().display());
        }
        let answer = setup.start().ask(get("/x", &[])).await;
        assert_eq!(answer.status(), if known { 200 } else { 502 });
        if known {
            assert_eq!(answer.text(), format!("http/1.1 mcp.internal true mcp.internal:{port}"));
        }
        drop(files);
    }
}

#[tokio::test]
async fn any_certificate_is_believed_only_where_that_is_written_in_full() {
    let port = server(&Authority::new(), None, &[]).await;
    let url = format!("https://localhost:{port}");
    assert_eq!(Proxy::to_url(&url).start().ask(get("/x", &[])).await.json()["error"], "upstream_certificate");
    let reckless = Proxy::to_url(&url).set("upstream.dangerously_accept_any_certificate", "true").start();
    assert_eq!(reckless.ask(get("/x", &[])).await.status(), 200);
    let flag = "--dangerously-accept-any-upstream-certificate";
    let proxy = crate::kit::Binary::start(&[&url, flag, "--no-probe"]).await;
    proxy.terminate();
    let (_, _, said) = proxy.ended().await;
    assert!(said.contains("ANY certificate of the upstream is accepted"), "{said}");
}

#[tokio::test]
async fn the_log_says_why_a_certificate_is_not_believed() {
    let authority = Authority::new();
    let port = server(&authority, None, &[]).await;
    let trusted = file(&authority.pem);
    let trusted = trusted.path().display().to_string();
    let url = format!("https://localhost:{port}");
    let proxy = crate::kit::Binary::start(&[&url, "--ca-file", &trusted, "--no-probe"]).await;
    let mut client = proxy.connect().await;
    client.send(get("/x", &[])).await;
    assert_eq!(client.reply().await.status(), 502);
    drop(client);
    proxy.terminate();
    let (_, _, said) = proxy.ended().await;
    assert!(said.contains("certificate not valid for name \"localhost\""), "{said}");
}
