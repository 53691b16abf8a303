//! Session ids that the proxy has sealed: written so that a replay can open them, without what they hold.

use super::*;
use crate::repairs::session;
use crate::seal::SealKeys;

fn site() -> Facts {
    Facts { seal: SealKeys::of(&["the operator's own secret, 32 bytes"]), ..example::facts(SiteKind::Open) }
}

fn shown(id: &str, said: &str) -> (String, String) {
    let asked = ("POST", "/mcp", &[("mcp-session-id", id)][..], "");
    let taped = taped(Class::Mcp, asked, (400, &[("content-type", "text/plain")], said));
    let redacted = Redactor::new([7; 32]).knowing(&site()).redact(&taped);
    let id = redacted.asked.headers.iter().find(|(name, _)| name == "mcp-session-id").unwrap().1.clone();
    (id, written(&redacted))
}

#[test]
fn what_a_sealed_id_holds_is_taken_out_and_the_rest_opens_with_the_key_of_captures() {
    let own = HeaderValue::from_static("session-s3cret-1");
    let sealed = session::seal(&site(), &own, Some("sid=cookie-s3cret-2; b=cookie-s3cret-3")).unwrap();
    let sealed = sealed.to_str().unwrap();
    let (id, all) = shown(sealed, &format!("no session {sealed}, session-s3cret-1 with cookie-s3cret-3"));
    let facts = Facts { seal: SealKeys::known_to_all(), ..site() };
    let opened = session::open(&facts, &HeaderValue::from_str(&id).unwrap()).unwrap();
    let hash = |text: &str| Redactor::new([7; 32]).hash(text);
    assert_eq!(opened.id, hash("session-s3cret-1"));
    assert_eq!(opened.cookies, Some(format!("sid={}; b={}", hash("cookie-s3cret-2"), hash("cookie-s3cret-3"))));
    for hidden in ["s3cret", sealed, &sealed[5..]] {
        assert!(!all.contains(hidden), "{hidden} in {all}");
    }
}

#[test]
fn an_id_that_could_not_be_sent_stays_visible_as_such() {
    let own = HeaderValue::from_bytes(b"session s3cret").unwrap();
    let (id, _) = shown(session::seal(&site(), &own, None).unwrap().to_str().unwrap(), "");
    let facts = Facts { seal: SealKeys::known_to_all(), ..site() };
    let opened = session::open(&facts, &HeaderValue::from_str(&id).unwrap()).unwrap();
    assert_eq!(opened.id, format!("{} _", Redactor::new([7; 32]).hash("session s3cret")));
}

#[test]
fn an_id_that_does_not_open_is_a_hash_that_no_key_opens() {
    let foreign = session::seal(&example::facts(SiteKind::Open), &HeaderValue::from_static("s1"), None).unwrap();
    for forged in [foreign.to_str().unwrap(), "mend-id-czNjcmV0", "mend-"] {
        let (id, _) = shown(forged, "");
        assert_eq!(id, format!("mend-{}", Redactor::new([7; 32]).hash(forged)));
    }
}
