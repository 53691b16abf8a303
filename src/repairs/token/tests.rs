//! The table of token answers that real clients were measured with (ts1, ts2, py1, py, rmcp): each comes out in the
//! form that all five read.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::example;
use crate::exchange::{Reply, Request, Site};
use crate::plan::Plan;
use crate::repair::SiteKind;
use crate::repairs::REPAIRS;

const CODE: &str = "grant_type=authorization_code&code=c&client_id=a";
const REFRESH: &str = "grant_type=refresh_token&refresh_token=r&client_id=a";

/// What the whole registry makes of an answer.
fn mended(form: &str, answer: &str) -> Reply {
    let (facts, known) = (example::facts(SiteKind::Cohosted), example::knowledge(SiteKind::Cohosted));
    let request: Request = example::request(&format!("POST /token\n\n{form}"), &facts, &known).unwrap();
    let mut reply = example::reply(answer).unwrap();
    Plan::new(REPAIRS, &BTreeMap::new()).mend_reply(
        &Site { facts: &facts, known: &known },
        &request,
        &mut reply,
        false,
    );
    reply
}

fn json(status: &str, body: &str) -> String {
    format!("{status}\nContent-Type: application/json\n\n{body}")
}

/// Whether ts1, ts2, py1, py and rmcp read tokens in this.
fn is_read_as_tokens(reply: &Reply) -> Result<(), &'static str> {
    let document = reply.json().filter(|_| reply.is_json()).ok_or("no JSON")?;
    let text = |name: &str, may_miss: bool| match document.get(name) {
        None => may_miss,
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) => false,
    };
    let checks = [
        (reply.status == 200, "the status is not 200"),
        (text("access_token", false), "access_token"),
        (document.text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")), "token_type"),
        (document.get("expires_in").is_none_or(|value| value.is_u64()), "expires_in"),
        (text("refresh_token", true), "refresh_token"),
        (text("id_token", true), "id_token"),
        (text("scope", true), "scope"),
    ];
    checks.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(what))
}

/// Whether they read an error in this, and which.
fn error(reply: &Reply) -> Option<(u16, String)> {
    let document = reply.json().filter(|_| reply.is_json())?;
    let is_text = |name: &str| matches!(document.get(name), None | Some(Value::String(_)));
    let code = document.text("error").filter(|code| !code.is_empty() && !code.contains(' '))?;
    (is_text("error_description") && is_text("error_uri")).then(|| (reply.status.as_u16(), code))
}

#[test]
fn every_value_of_the_table_is_read_by_all_parsers() {
    let values: &[(&str, &[&str])] = &[
        (
            "expires_in",
            &["3600", "\"3600\"", "3600.0", "3600.5", "null", "\"\"", "-1", "true", "3600000000", "0", "[]", "{}"],
        ),
        (
            "token_type",
            &["null", "\"\"", "\"JWT\"", "\"user\"", "\"bot\"", "\"bearer\"", "\"BEARER\"", "\"Bearer\"", "1"],
        ),
        ("refresh_token", &["null", "\"\"", "false", "\"r\""]),
        ("scope", &["null", "[\"a\",\"b\"]", "[]", "\"a b\"", "\"a,b\"", "false"]),
        ("id_token", &["null", "\"\"", "\"i\""]),
    ];
    for (name, values) in values {
        for value in *values {
            let kind = if *name == "token_type" { "" } else { "\"token_type\":\"Bearer\"," };
            for form in [CODE, REFRESH, ""] {
                let answer = json("200", &format!("{{\"access_token\":\"t\",{kind}\"{name}\":{value}}}"));
                assert_eq!(is_read_as_tokens(&mended(form, &answer)), Ok(()), "{answer}");
            }
        }
    }
    let whole = "{\"access_token\":\"t\",\"expires_in\":\"60\",\"scope\":[\"a\"],\"refresh_token\":null}";
    for answer in [
        json("200", "{\"access_token\":\"t\"}"),
        json("200", whole),
        json("201", whole),
        json("202", whole),
        json("200", &format!("{{\"data\":{whole}}}")),
        json("200", &format!("{{\"token\":{whole}}}")),
        json("200", &format!("{{\"result\":{whole},\"error\":null}}")),
        json("200", &format!("{{\"access_token\":null,\"refresh_token\":\"\",\"data\":{whole}}}")),
        json("200", "{\"accessToken\":\"t\",\"tokenType\":\"bearer\",\"expiresIn\":\"60\",\"refreshToken\":null}"),
        json("200", "{\"data\":{\"accessToken\":\"t\",\"expiresIn\":60.5,\"scopes\":[\"a\"]}}"),
        json("200", "{\"ok\":true,\"authed_user\":{\"access_token\":\"t\",\"token_type\":\"user\",\"scope\":\"a,b\"}}"),
        format!("200\nContent-Type: text/html\n\n{whole}"),
        format!("200\nContent-Type: text/plain\n\n{whole}"),
        format!("200\n\n{whole}"),
        "200\nContent-Type: application/x-www-form-urlencoded\n\naccess_token=t&scope=repo%2Cuser&expires_in=60".into(),
        "200\nContent-Type: text/plain\n\naccess_token=t&token_type=bearer&refresh_token=&expires_in=".into(),
    ] {
        for form in [CODE, REFRESH] {
            assert_eq!(is_read_as_tokens(&mended(form, &answer)), Ok(()), "{answer}");
        }
    }
}

#[test]
fn a_token_bound_to_a_key_stays_one() {
    for kind in ["DPoP", "dpop", "MAC", "N_A", "PoP"] {
        let answer = json("200", &format!("{{\"access_token\":\"t\",\"token_type\":\"{kind}\"}}"));
        assert_eq!(mended(CODE, &answer).json().unwrap().text("token_type").as_deref(), Some(kind));
    }
}

/// Answer, and what a client is told of it after a code and after a refresh.
type Row<'a> = (&'a str, &'a str, (u16, &'a str), (u16, &'a str));

#[test]
fn every_refusal_is_read_by_all_parsers() {
    let rows: &[Row<'_>] = &[
        ("200", "{\"ok\":false,\"error\":\"invalid_code\"}", (400, "invalid_code"), (400, "invalid_code")),
        ("200", "{\"ok\":false}", (400, "invalid_request"), (400, "invalid_request")),
        ("200", "{\"error\":\"bad_refresh_token\"}", (400, "bad_refresh_token"), (400, "invalid_grant")),
        ("200", "{\"error\":{\"message\":\"m\"}}", (400, "invalid_request"), (400, "invalid_request")),
        ("200", "{\"errors\":[{\"message\":\"m\"}]}", (400, "invalid_request"), (400, "invalid_request")),
        ("200", "{\"ok\":false,\"error\":\"invalid_client_id\"}", (401, "invalid_client"), (401, "invalid_client")),
        ("200", "<!doctype html><p>hello", (502, "server_error"), (502, "server_error")),
        ("200", "error=bad_verification_code", (400, "bad_verification_code"), (400, "bad_verification_code")),
        ("400", "<h1>Bad Request</h1>", (400, "invalid_request"), (400, "invalid_grant")),
        ("400", "{\"detail\":\"bad\"}", (400, "invalid_request"), (400, "invalid_grant")),
        ("401", "{\"message\":\"Unauthorized\"}", (401, "invalid_request"), (400, "invalid_grant")),
        ("401", "{\"error\":\"unauthorized\"}", (401, "unauthorized"), (400, "invalid_grant")),
        ("403", "{\"message\":\"no\"}", (400, "invalid_request"), (400, "invalid_request")),
        ("404", "Cannot POST /token", (400, "invalid_request"), (400, "invalid_request")),
        ("422", "{\"detail\":[{\"msg\":\"Field required\"}]}", (400, "invalid_request"), (400, "invalid_request")),
        ("422", "{\"message\":\"Unrecognized client_id\"}", (401, "invalid_client"), (401, "invalid_client")),
        ("404", "{\"error\":\"client_not_found\"}", (401, "invalid_client"), (401, "invalid_client")),
        ("500", "{\"message\":\"Client does not exist\"}", (401, "invalid_client"), (401, "invalid_client")),
        (
            "401",
            "{\"error\":\"unauthorized\",\"message\":\"no such client\"}",
            (401, "invalid_client"),
            (401, "invalid_client"),
        ),
        ("401", "{\"message\":\"Invalid client secret\"}", (401, "invalid_client"), (401, "invalid_client")),
        ("400", "{\"error\":\"invalid_client\"}", (400, "invalid_client"), (400, "invalid_client")),
        ("401", "{\"error\":\"invalid_grant\"}", (401, "invalid_grant"), (400, "invalid_grant")),
        ("400", "{\"error\":\"token_expired\"}", (400, "token_expired"), (400, "invalid_grant")),
        ("500", "{\"message\":\"refresh token expired\"}", (500, "server_error"), (400, "invalid_grant")),
        ("500", "{\"message\":\"TypeError: x is undefined\"}", (500, "server_error"), (500, "server_error")),
        (
            "503",
            "{\"message\":\"refresh token expired\"}",
            (503, "temporarily_unavailable"),
            (503, "temporarily_unavailable"),
        ),
        ("429", "slow", (429, "temporarily_unavailable"), (429, "temporarily_unavailable")),
        (
            "400",
            "{\"error\":\"invalid_request\",\"error_description\":\"refresh token is bad\"}",
            (400, "invalid_request"),
            (400, "invalid_grant"),
        ),
        (
            "400",
            "{\"error\":\"invalid_request\",\"error_description\":null}",
            (400, "invalid_request"),
            (400, "invalid_request"),
        ),
        ("400", "{\"error\":\"invalid_scope\"}", (400, "invalid_scope"), (400, "invalid_scope")),
        (
            "400",
            "{\"error\":{\"code\":\"invalid_grant\",\"message\":\"m\"}}",
            (400, "invalid_grant"),
            (400, "invalid_grant"),
        ),
    ];
    for (status, body, after_code, after_refresh) in rows {
        for kind in ["application/json", "text/html"] {
            for (form, (status_then, code)) in [(CODE, after_code), (REFRESH, after_refresh)] {
                let answer = format!("{status}\nContent-Type: {kind}\n\n{body}");
                let reply = mended(form, &answer);
                assert_eq!(error(&reply), Some((*status_then, (*code).to_owned())), "{form}: {answer}");
            }
        }
    }
}
