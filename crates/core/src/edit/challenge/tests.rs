use proptest::prelude::*;

use super::*;

fn read(lines: &[&str]) -> Challenges {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap());
    }
    Challenges::read(&headers)
}

#[test]
fn reads_what_the_grammar_allows() {
    let found = read(&[
        r#"Bearer realm="a \"b\"",error=invalid_token , scope = "x y""#,
        r#"Negotiate dG9rZW4=, Basic realm="r", Bearer"#,
    ]);
    assert_eq!(found.irregular, None);
    assert_eq!(found.list.len(), 4);
    assert_eq!(found.list[0].get("realm"), Some("a \"b\""));
    assert_eq!(found.list[0].get("SCOPE"), Some("x y"));
    assert_eq!(found.list[1].token68.as_deref(), Some("dG9rZW4="));
    assert_eq!(found.list[2].get("realm"), Some("r"));
    assert!(found.list[3].is_bearer());
}

#[test]
fn reads_what_servers_send_and_says_what_is_wrong() {
    for (line, what, name, value) in [
        (r#"Bearer realm="a" scope="x""#, "no comma between parameters", "scope", "x"),
        (
            "Bearer resource_metadata=https://h/p",
            "a parameter value that needs quotes",
            "resource_metadata",
            "https://h/p",
        ),
        (r#"Bearer realm="a, error="x"#, "a character that no scheme or parameter name has", "realm", "a, error="),
        (r#"Bearer realm="", scope="x""#, "an empty parameter value", "scope", "x"),
        (r#"bearer scope="x""#, "a scheme not spelled `Bearer`", "scope", "x"),
        (r#"Bearer, scope="x""#, "", "scope", "x"),
        (r#"Bearer scope="x","#, "a comma at the end", "scope", "x"),
        (r#"Bearer scope="x"#, "a quote that never ends", "scope", "x"),
    ] {
        let found = read(&[line]);
        let first = &found.list[0];
        assert_eq!(first.get(name), Some(value), "{line}");
        assert_eq!(found.irregular.is_some(), !what.is_empty(), "{line}: {:?}", found.irregular);
    }
}

/// Writes what was read.
fn write(headers: &mut HeaderMap) -> Challenges {
    let found = Challenges::read(headers);
    headers.remove(WWW_AUTHENTICATE);
    for line in found.lines() {
        headers.append(WWW_AUTHENTICATE, line);
    }
    found
}

#[test]
fn a_sound_challenge_leaves_as_it_came() {
    let digest = r#"Digest realm="Z\"u", algorithm=SHA-256,stale=false , userhash=true"#;
    let found = read(&[&format!("{digest}, Bearer realm=r, PrivateToken challenge=abc=="), "Basic  realm=x"]);
    assert_eq!(found.irregular, Some("a parameter value that needs quotes"));
    let lines: Vec<HeaderValue> = found.lines().collect();
    assert_eq!(lines, [digest, "Bearer realm=r", r#"PrivateToken challenge="abc==""#, "Basic  realm=x"]);
    let mut found = read(&["Bearer abc==, Basic realm=x"]);
    found.list[0].set("scope", "a b");
    assert_eq!(found.lines().collect::<Vec<_>>(), ["Bearer scope=\"a b\"", "Basic realm=x"]);
}

#[test]
fn what_other_schemes_allow_leaves_as_it_came() {
    for line in [
        &b"Digest realm=\"r\", nonce=\"n\", opaque=\"\", algorithm=MD5"[..],
        b"Basic realm=\"\"",
        b"Digest realm=\"Z\xfcrich\", nonce=\"n\", algorithm=MD5",
        "Digest realm=\"Z\u{fc}rich\", nonce=\"n\", algorithm=MD5".as_bytes(),
    ] {
        let mut headers = HeaderMap::new();
        headers
            .append(WWW_AUTHENTICATE, HeaderValue::from_bytes(&[b"Bearer realm=\"\xe9\", ", line].concat()).unwrap());
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(line).unwrap());
        let found = Challenges::read(&headers);
        assert_eq!(found.irregular, None);
        let lines: Vec<HeaderValue> = found.lines().skip(1).collect();
        assert_eq!(lines, [line, line]);
    }
}

#[test]
fn white_space_of_other_kinds_is_none() {
    for space in ["\u{a0}", "\u{3000}", "\u{85}", "\u{2028}"] {
        let found = Challenges::read(&HeaderMap::from_iter([(
            WWW_AUTHENTICATE,
            HeaderValue::from_bytes(format!("Bearer realm{space}=\"x\", scope=\"a\"").as_bytes()).unwrap(),
        )]));
        assert!(found.irregular.is_some() && found.list[0].is_bearer());
    }
}

#[test]
fn the_ruins_of_a_line_are_no_challenges() {
    let found = read(&["Basic realm=x", r#"Bearer realm="a"b http://127.0.0.1:3000/ x, Digest realm="d", y"#]);
    let schemes: Vec<&str> = found.list.iter().map(|one| one.scheme.as_str()).collect();
    assert_eq!(schemes, ["Basic", "Bearer", "Digest"]);
    let found = read(&[r#"ApiKey realm="x", Bearer realm="a"#]);
    assert_eq!(found.lines().next().unwrap(), r#"ApiKey realm="x""#);
}

#[test]
fn a_value_that_cannot_be_written_is_left_out_of_what_is_changed() {
    let odd = HeaderValue::from_bytes(b"Bearer realm=\"\xe9\", error=\"invalid_token\"").unwrap();
    let mut found = Challenges::read(&HeaderMap::from_iter([(WWW_AUTHENTICATE, odd.clone())]));
    assert_eq!(found.list[0].to_value(), odd);
    found.list[0].set("scope", "a");
    assert_eq!(found.list[0].to_value(), "Bearer error=\"invalid_token\", scope=\"a\"");
}

proptest! {
    #[test]
    fn never_panics_and_writes_what_it_reads(text in "[ -~]{0,60}|[ -~\t\u{85}\u{a0}\u{e9}\u{2028}\u{3000}]{0,60}", is_latin in any::<bool>()) {
        let mut headers = HeaderMap::new();
        let bytes: Vec<u8> = if is_latin { text.chars().map(|c| c as u8).collect() } else { text.into_bytes() };
        let Ok(line) = HeaderValue::from_bytes(&bytes) else { return Ok(()) };
        let is_plain = bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
        headers.insert(WWW_AUTHENTICATE, line);
        let found = write(&mut headers);
        let again = Challenges::read(&headers);
        let said = |found: &Challenges| {
            let one = |one: &Challenge| (one.scheme.clone(), one.token68.clone(), one.params.clone());
            found.list.iter().map(one).collect::<Vec<_>>()
        };
        if is_plain {
            prop_assert_eq!(said(&again), said(&found));
        }
        prop_assert_eq!(again.irregular, None);
    }

    #[test]
    fn a_value_stays_one_parameter_of_one_challenge(value in "\\PC{1,40}|[\\x00-\\x7f]{1,40}") {
        let mut challenge = Challenge::new("Bearer");
        challenge.set("scope", &value);
        let visible: String = value.chars().filter(|c| (' '..='~').contains(c)).collect();
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, challenge.to_value());
        let found = Challenges::read(&headers);
        prop_assert_eq!(found.list.len(), 1);
        prop_assert_eq!(found.list[0].get("scope").unwrap_or(""), visible);
    }
}
