//! Every value of the registration parser table, through the whole registry.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use url::Url;

use crate::example;
use crate::exchange::{Reply, Site};
use crate::plan::Plan;
use crate::repair::SiteKind;
use crate::repairs::REPAIRS;

fn mended(reply: &str) -> Reply {
    let (facts, known) = (example::facts(SiteKind::Cohosted), example::knowledge(SiteKind::Cohosted));
    let request = "POST /register\n\n{\"client_name\":\"T\",\"redirect_uris\":[\"http://localhost:9999/cb\"],\
                   \"grant_types\":[\"authorization_code\",\"refresh_token\"],\"response_types\":[\"code\"],\
                   \"token_endpoint_auth_method\":\"client_secret_post\"}";
    let request = example::request(request, &facts, &known).unwrap();
    let mut reply = example::reply(reply).unwrap();
    let (report, ask) = Plan::new(REPAIRS, &BTreeMap::new()).mend_reply(
        &Site { facts: &facts, known: &known },
        &request,
        &mut reply,
        true,
    );
    assert!(report.bugs.is_empty() && ask.is_none());
    reply
}

/// Nobody knows what became of such a registration: it may not be sent a second time, whatever is said of it.
#[test]
fn nothing_is_registered_twice_after_a_failure_or_a_conflict() {
    for status in [409, 500] {
        for said in [
            "Unrecognized field: software_id",
            "client_name is required",
            "unsupported token_endpoint_auth_method",
            "unsupported media type application/json",
            "redirect_uris: cursor://a/cb is not allowed",
            "redirect_uris[2] https://claude.com/api/mcp/auth_callback is not allowed",
            "invalid_redirect_uri",
            "invalid_client_metadata",
        ] {
            for site in [SiteKind::Cohosted, SiteKind::Confidential] {
                let (facts, known) = (example::facts(site), example::knowledge(site));
                let request = "POST /register\nContent-Type: application/json; charset=utf-8\n\n{\"software_id\":\"i\",\
                               \"token_endpoint_auth_method\":\"client_secret_post\",\"redirect_uris\":[\"cursor://a/cb\",\
                               \"https://claude.ai/api/mcp/auth_callback\",\"https://claude.com/api/mcp/auth_callback\"]}";
                let request = example::request(request, &facts, &known).unwrap();
                let answer = format!("{status}\nContent-Type: application/json\n\n{{\"error\":\"{said}\"}}");
                let mut reply = example::reply(&answer).unwrap();
                let site = Site { facts: &facts, known: &known };
                let (_, ask) = Plan::new(REPAIRS, &BTreeMap::new()).mend_reply(&site, &request, &mut reply, true);
                assert_eq!(ask, None, "{answer}");
            }
        }
    }
}

/// A sound registration with one member changed.
fn with(member: &str, value: Value, secret: bool) -> Value {
    let mut document = json!({
        "client_id": "cid",
        "client_id_issued_at": 1_749_600_000,
        "redirect_uris": ["http://localhost:9999/cb"],
        "client_name": "T",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": if secret { "client_secret_post" } else { "none" },
    });
    if secret {
        document["client_secret"] = json!("s3");
        document["client_secret_expires_at"] = json!(0);
    }
    if member.is_empty() {
        return document;
    }
    document[member] = value;
    document
}

/// What all five parsers take: the strictest of each place in the table.
fn assert_common_form(reply: &Reply, name: &str) {
    assert_eq!(reply.status, 201, "{name}");
    assert_eq!(reply.headers["content-type"], "application/json", "{name}");
    let bytes = reply.json().unwrap().to_bytes();
    let document: Value = serde_json::from_slice(&bytes).unwrap();
    let members = document.as_object().unwrap();
    assert!(members["client_id"].as_str().is_some_and(|id| !id.is_empty()), "{name}: {document}");
    for (member, value) in members {
        let texts = |least: usize| {
            value.as_array().is_some_and(|list| list.len() >= least && list.iter().all(Value::is_string))
        };
        let is_right = match member.as_str() {
            "client_id_issued_at" | "client_secret_expires_at" => value.is_i64(),
            "grant_types" | "response_types" | "contacts" => texts(0),
            "redirect_uris" => texts(1) && value.as_array().unwrap().iter().all(is_url),
            "jwks" => value.is_object(),
            _ if member.ends_with("_uri") => is_url(value),
            _ => value.is_string(),
        };
        assert!(is_right, "{name}: {member} in {document}");
    }
    assert!(members.contains_key("redirect_uris"), "{name}: {document}");
    let has_secret = members.get("client_secret").is_some_and(|secret| secret != "");
    match members["token_endpoint_auth_method"].as_str().unwrap() {
        "none" => assert!(!members.contains_key("client_secret"), "{name}: {document}"),
        "client_secret_basic" | "client_secret_post" => {
            assert!(has_secret && members.contains_key("client_secret_expires_at"), "{name}: {document}");
        }
        other => panic!("{name}: {other}"),
    }
}

fn is_url(value: &Value) -> bool {
    value.as_str().is_some_and(|text| Url::parse(text).is_ok())
}

/// Members and the values with which servers fill them, all over the table and beside it.
fn table() -> Vec<(&'static str, Vec<Value>)> {
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let times = vec![
        number("1.7e9"),
        number("0.0"),
        number("1732345678.25"),
        number("1732345678000"),
        json!("0"),
        Value::Null,
        json!(""),
        json!("2025-06-11T00:00:00Z"),
        json!(true),
        json!(false),
        json!([]),
        json!({}),
    ];
    let no_list =
        || vec![Value::Null, json!("code"), json!(""), json!([null]), json!([{}]), json!({}), json!(7), json!([])];
    let no_text =
        || vec![Value::Null, json!(["x"]), json!([]), json!(7), json!(1.5), json!({ "en": "x" }), json!(true)];
    let no_url = || {
        vec![
            Value::Null,
            json!(""),
            json!("/relative"),
            json!("h.example/x"),
            json!("h.example"),
            json!(7),
            json!([]),
            json!({}),
        ]
    };
    let mut all = vec![
        ("client_id_issued_at", times.clone()),
        ("client_secret_expires_at", times),
        ("client_id", vec![json!(7), number("90071992547409931")]),
        ("client_secret", vec![Value::Null, json!("")]),
        (
            "redirect_uris",
            vec![
                Value::Null,
                json!([]),
                json!("http://localhost:9999/cb"),
                json!("http://localhost:9999/cb http://localhost:9999/cb2"),
                json!("[\"http://localhost:9999/cb\"]"),
                json!([null]),
                json!([{}, 7]),
                json!(["", "/cb"]),
                json!([null, "http://localhost:9999/cb"]),
                json!({}),
                json!(7),
            ],
        ),
        (
            "token_endpoint_auth_method",
            vec![
                Value::Null,
                json!(""),
                json!("unknown"),
                json!("private_key_jwt"),
                json!("client_secret_jwt"),
                json!("none"),
                json!("client_secret_basic"),
                json!(["client_secret_post"]),
                json!(["private_key_jwt", "none"]),
                json!([]),
                json!({}),
                json!(7),
            ],
        ),
        ("jwks", vec![Value::Null, json!("{}"), json!([]), json!(7)]),
    ];
    for name in ["grant_types", "response_types", "contacts"] {
        all.push((name, no_list()));
    }
    let texts = ["client_name", "scope", "software_id", "software_version", "software_statement", "application_type"];
    for name in texts {
        all.push((name, no_text()));
    }
    for name in ["client_uri", "logo_uri", "tos_uri", "policy_uri", "jwks_uri", "registration_client_uri"] {
        all.push((name, no_url()));
    }
    all
}

#[test]
fn the_registration_parser_table_comes_out_right_for_all() {
    let mut values = 0;
    for (member, list) in table() {
        for value in list {
            for secret in [false, true] {
                let name = format!("{member} = {value}, secret: {secret}");
                let document = with(member, value.clone(), secret);
                let reply = mended(&format!("201\nContent-Type: application/json\n\n{document}"));
                assert_common_form(&reply, &name);
                values += 1;
            }
        }
    }
    assert!(values > 200, "{values}");
}

#[test]
fn a_missing_member_comes_out_right_for_all() {
    let sound = with("", Value::Null, true);
    for name in sound.as_object().unwrap().keys().filter(|name| *name != "client_id") {
        let mut document = sound.clone();
        document.as_object_mut().unwrap().remove(name);
        let reply = mended(&format!("201\nContent-Type: application/json\n\n{document}"));
        assert_common_form(&reply, &format!("no {name}"));
    }
}

#[test]
fn another_head_comes_out_right_for_all() {
    let document = with("", Value::Null, true);
    let camel = json!({ "clientId": "a", "clientSecret": "s", "redirectUris": ["http://localhost:9999/cb"],
        "clientIdIssuedAt": 1.5, "clientSecretExpiresAt": null, "tokenEndpointAuthMethod": "client_secret_basic",
        "grantTypes": null, "responseTypes": "code", "clientName": "T", "clientUri": "" });
    for (head, body) in [
        ("200\nContent-Type: application/json", document.clone()),
        ("202\nContent-Type: application/json", document.clone()),
        ("201\nContent-Type: text/plain", document.clone()),
        ("200\nContent-Type: text/html", document.clone()),
        ("201", document.clone()),
        ("201\nContent-Type: application/json; charset=utf-8", document.clone()),
        ("200", json!({ "data": document })),
        ("201", json!({ "client": document })),
        ("201", json!({ "ok": "yes", "result": document })),
        ("201", json!({ "client_info": camel })),
        ("201", camel),
    ] {
        let mut reply = mended(&format!("{head}\n\n{body}"));
        if head.contains("charset") {
            assert_eq!(reply.headers["content-type"], "application/json; charset=utf-8");
            reply.headers.insert("content-type", "application/json".parse().unwrap());
        }
        assert_common_form(&reply, &format!("{head} {body}"));
    }
}

#[test]
fn what_cannot_be_helped_passes_untouched() {
    for id in [None, Some(Value::Null), Some(json!("")), Some(json!([])), Some(json!({ "id": 1 })), Some(json!(true))] {
        let mut document = with("client_uri", Value::Null, false);
        match &id {
            Some(id) => document["client_id"] = id.clone(),
            None => drop(document.as_object_mut().unwrap().remove("client_id")),
        }
        let text = format!("201\nCache-Control: no-store\nContent-Type: application/json\n\n{document}");
        assert_eq!(example::write_reply(&mended(&text)), example::normalised(&text).unwrap(), "{id:?}");
    }
    // A secret that is no text is nobody's to touch.
    let document = with("client_secret", json!(7), true);
    let text = format!("201\nCache-Control: no-store\nContent-Type: application/json\n\n{document}");
    assert_eq!(mended(&text).json().unwrap().get("client_secret"), Some(json!(7)));
}

#[test]
fn a_registration_larger_than_any_clients_is_not_compared_with_its_refusal() {
    let (facts, known) = (example::facts(SiteKind::Cohosted), example::knowledge(SiteKind::Cohosted));
    let reply = example::reply("400\nContent-Type: application/json\n\n{\"error\":\"invalid_redirect_uri\"}").unwrap();
    for (count, is_looked_at) in [(3, true), (64, true), (66, false), (900, false)] {
        let uris: Vec<String> = (0..count).map(|number| format!("\"https://a.example/{number}\"")).collect();
        let members: Vec<String> = (0..count).map(|number| format!("\"m{number}\":1")).collect();
        for body in [format!("{{\"redirect_uris\":[{}]}}", uris.join(",")), format!("{{{}}}", members.join(","))] {
            let request = example::request(&format!("POST /register\n\n{body}"), &facts, &known).unwrap();
            assert_eq!(super::is_refused_for_content(&request, &reply), is_looked_at, "{count}");
        }
    }
}
