//! An upstream behind TLS: believed only with a certificate for its name from somebody who is trusted.

use std::io::Write;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
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
