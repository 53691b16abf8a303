use std::fs;

use rcgen::{Issuer, date_time_ymd};
use tempfile::TempDir;

use super::*;

/// Writes a certificate for these names and its key; answers the pair of files.
fn write(folder: &TempDir, name: &str, hosts: &[&str], change: impl Fn(&mut CertificateParams)) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(hosts.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    change(&mut params);
    let pem = params.self_signed(&key).unwrap().pem();
    let (cert_file, key_file) = (folder.path().join(format!("{name}.crt")), folder.path().join(format!("{name}.key")));
    fs::write(&cert_file, pem).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    (cert_file, key_file)
}

fn found(set: &Set, name: Option<&str>) -> String {
    set.find(name).unwrap().file.as_ref().unwrap().file_stem().unwrap().to_string_lossy().into_owned()
}

#[test]
fn the_name_chooses_and_the_first_serves_the_rest() {
    let folder = TempDir::new().unwrap();
    let pairs = vec![
        write(&folder, "first", &["first.example"], |_| ()),
        write(&folder, "wild", &["*.wild.example", "Exact.Example"], |_| ()),
        write(&folder, "late", &["exact.example", "a.wild.example"], |_| ()),
    ];
    let set = Set::load(&Source::Files(pairs), "").unwrap();
    for (name, expected) in [
        (Some("first.example"), "first"),
        (Some("FIRST.example"), "first"),
        (Some("b.wild.example"), "wild"),
        // A name of its own goes before a wildcard; of two for one name the first goes.
        (Some("a.wild.example"), "late"),
        (Some("exact.example"), "wild"),
        // A wildcard is one label (RFC 9525 section 6.3).
        (Some("b.a.wild.example"), "first"),
        (Some("wild.example"), "first"),
        (Some("unknown.example"), "first"),
        (Some("localhost"), "first"),
        (None, "first"),
    ] {
        assert_eq!(found(&set, name), expected, "{name:?}");
    }
}

#[test]
fn what_cannot_be_used_is_named_with_its_cure() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (good_cert, good_key) = write(&folder, "good", &["a.example"], |_| ());
    let (other_cert, other_key) = write(&folder, "other", &["a.example"], |_| ());
    let old = write(&folder, "old", &["a.example"], |params| {
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    });
    let early = write(&folder, "early", &["a.example"], |params| {
        (params.not_before, params.not_after) = (date_time_ymd(2901, 1, 1), date_time_ymd(2902, 1, 1));
    });
    let empty = file("empty.pem", "nothing\n");
    let locked =
        file("locked.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let rubbish = file("rubbish.pem", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    let junk = file("junk.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let missing = folder.path().join("missing.pem");
    for ((cert, key), expected) in [
        ((&missing, &good_key), vec!["missing.pem: No such file"]),
        ((&missing, &missing), vec!["tls.cert_file ", "tls.key_file "]),
        ((&empty, &good_key), vec!["empty.pem: there is no certificate in it; write a PEM file"]),
        ((&rubbish, &good_key), vec!["rubbish.pem: not PEM"]),
        ((&junk, &good_key), vec!["junk.pem: its first certificate cannot be read"]),
        ((&good_cert, &good_cert), vec!["good.crt: there is no private key in it"]),
        (
            (&good_cert, &locked),
            vec!["locked.pem: the key in it is locked with a passphrase; write it without: openssl"],
        ),
        ((&good_cert, &other_key), vec!["other.key: this is not the key of the first certificate in "]),
        ((&other_cert, &good_key), vec!["good.key: this is not the key"]),
        ((&old.0, &old.1), vec!["old.crt: the certificate expired on 2002-01-01T00:00:00Z; have it renewed"]),
        ((&early.0, &early.1), vec!["early.crt: the certificate is not valid before 2901-01-01"]),
    ] {
        let source = Source::Files(vec![(cert.clone(), key.clone())]);
        let Err(ServerTlsError::Unusable(all)) = Set::load(&source, "") else { panic!("{cert:?} {key:?}") };
        assert_eq!(all.len(), expected.len(), "{all:?}");
        for (fault, expected) in all.iter().zip(expected) {
            assert!(fault.to_string().contains(expected), "{fault} / {expected}");
        }
    }
}

#[test]
fn a_bad_file_keeps_the_old_certificate() {
    let folder = TempDir::new().unwrap();
    let pair = write(&folder, "a", &["a.example"], |_| ());
    let source = Source::Files(vec![pair.clone()]);
    let certificates = Certificates::new(source.clone(), Set::load(&source, "").unwrap());
    let first = certificates.current();
    assert!(!certificates.reload().unwrap(), "nothing has changed");

    fs::write(&pair.0, "half a fi").unwrap();
    let error = certificates.reload().unwrap_err().to_string();
    assert!(error.contains("a.crt: there is no certificate in it"), "{error}");
    assert!(certificates.current().is_same(&first));

    write(&folder, "a", &["b.example"], |_| ());
    assert!(certificates.reload().unwrap());
    assert_eq!(certificates.current().all()[0].names, ["b.example"]);
    assert_eq!(certificates.files(), [pair.0, pair.1]);
}

#[test]
fn a_chain_keeps_its_order() {
    let folder = TempDir::new().unwrap();
    let (issuer_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let params = CertificateParams::new(Vec::new()).unwrap();
    let issuer_pem = params.self_signed(&issuer_key).unwrap().pem();
    let issuer = Issuer::new(params, issuer_key);
    let own = CertificateParams::new(vec!["a.example".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let (cert_file, key_file) = (folder.path().join("c"), folder.path().join("k"));
    fs::write(&cert_file, format!("{}{issuer_pem}", own.pem())).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    let set = Set::load(&Source::Files(vec![(cert_file, key_file)]), "").unwrap();
    assert_eq!(set.all()[0].key.cert.len(), 2);
    assert_eq!(set.all()[0].key.cert[0], *own.der());
}

#[test]
fn one_is_made_for_the_public_host() {
    for (host, expected) in [
        ("mcp.example.com", vec!["mcp.example.com", "localhost"]),
        ("localhost", vec!["localhost"]),
        ("[::1]", vec!["localhost"]),
        ("192.0.2.1", vec!["localhost"]),
    ] {
        let set = Set::load(&Source::SelfSigned, host).unwrap();
        assert_eq!(set.all()[0].names, expected, "{host}");
        let days = (set.not_after().unwrap() - seconds_now()) / 86_400;
        assert!((360..=370).contains(&days), "{days}");
    }
    let certificates = Certificates::new(Source::SelfSigned, Set::load(&Source::SelfSigned, "a.example").unwrap());
    assert!(!certificates.reload().unwrap(), "what was made stays for as long as the process runs");
}
