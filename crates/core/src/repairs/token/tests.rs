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
    answered(SiteKind::Cohosted, &format!("POST /token\n\n{form}"), answer)
}

/// As [`mended`], for any request to any site.
fn answered(site: SiteKind, request: &str, answer: &str) -> Reply {
    let (facts, known) = (example::facts(site), example::knowledge(site));
    let request: Request = example::request(request, &facts, &known).unwrap();
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
        ("502", "{\"error\":\"Failed to refresh token: Bad Gateway\"}", (502, "server_error"), (502, "server_error")),
        ("502", "<h1>502 Bad Gateway</h1>token refresh backend", (502, "server_error"), (502, "server_error")),
        (
            "500",
            "{\"message\":\"could not refresh the token: invalid response from database\"}",
            (500, "server_error"),
            (500, "server_error"),
        ),
        ("400", "{\"message\":\"Service is in maintenance\"}", (400, "invalid_request"), (400, "invalid_request")),
        (
            "400",
            "<html><head><title>400 Request Header Or Cookie Too Large</title></head><body><center><h1>400 Bad \
             Request</h1></center><center>Request Header Or Cookie Too Large</center><hr><center>nginx/1.18.0\
             </center></body></html>",
            (400, "invalid_request"),
            (400, "invalid_request"),
        ),
        ("401", "{\"message\":\"Blocked by firewall\"}", (401, "invalid_request"), (401, "invalid_request")),
        ("401", "{\"message\":\"Redis client not found\"}", (401, "invalid_request"), (401, "invalid_request")),
        ("500", "{\"message\":\"Redis client not found\"}", (500, "server_error"), (500, "server_error")),
        ("502", "{\"error\":\"HTTP client is invalid\"}", (502, "server_error"), (502, "server_error")),
        ("403", "{\"message\":\"Blocked: unknown client\"}", (400, "invalid_request"), (400, "invalid_request")),
        ("500", "{\"error\":\"token_expired\"}", (500, "token_expired"), (400, "invalid_grant")),
        ("500", "{\"error\":\"invalid_token\"}", (500, "invalid_token"), (500, "invalid_token")),
        ("502", "{\"error\":\"invalid_client\"}", (401, "invalid_client"), (401, "invalid_client")),
        ("400", "{\"message\":\"Refresh token expired\"}", (400, "invalid_request"), (400, "invalid_grant")),
        (
            "400",
            "{\"error\":\"invalid_request\",\"error_description\":\"The token request is invalid.\"}",
            (400, "invalid_request"),
            (400, "invalid_grant"),
        ),
        (
            "400",
            "<html><title>Bad Request</title><h1>400 Bad Request</h1></html>",
            (400, "invalid_request"),
            (400, "invalid_grant"),
        ),
        ("401", "Unauthorized", (401, "invalid_request"), (400, "invalid_grant")),
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

#[test]
fn only_a_token_that_is_said_to_be_dead_is_revoked_already() {
    for (site, status, body, expected) in [
        (SiteKind::Cohosted, "400", r#"{"error":"invalid_token"}"#, 200),
        (SiteKind::Cohosted, "400", r#"{"error":"invalid_grant"}"#, 200),
        (SiteKind::Cohosted, "404", r#"{"error":"invalid_token"}"#, 404),
        (SiteKind::Cohosted, "400", r#"{"error":"invalid_request","error_description":"unknown token"}"#, 200),
        (SiteKind::Cohosted, "400", r#"{"error":"invalid_request","error_description":"token not found"}"#, 200),
        (
            SiteKind::Cohosted,
            "400",
            r#"{"error":"invalid_request","error_description":"token is already revoked"}"#,
            200,
        ),
        (
            SiteKind::Cohosted,
            "403",
            r#"{"error":"forbidden","message":"Token revocation refused: invalid IP address"}"#,
            403,
        ),
        (SiteKind::Cohosted, "403", r#"{"message":"Invalid credentials for token revocation"}"#, 403),
        (SiteKind::Cohosted, "403", r#"{"error":"invalid_token"}"#, 403),
        (SiteKind::Cohosted, "403", r#"{"message":"Token not found"}"#, 403),
        (
            SiteKind::Cohosted,
            "400",
            r#"{"error":"invalid_request","error_description":"The token was not revoked: unknown tenant"}"#,
            400,
        ),
        (
            SiteKind::Cohosted,
            "404",
            r#"{"message":"Route POST:/oauth/revoke-token not found","error":"Not Found","statusCode":404}"#,
            404,
        ),
        (SiteKind::Cohosted, "404", "<pre>Cannot POST /oauth/revoke_token</pre>: not found", 404),
        (SiteKind::Cohosted, "404", r#"{"message":"Token not found"}"#, 404),
        (SiteKind::Open, "400", r#"{"message":"invalid token for device"}"#, 400),
        (SiteKind::Open, "400", r#"{"error":"invalid_token"}"#, 400),
        (SiteKind::Foreign, "400", r#"{"error":"invalid_token"}"#, 400),
    ] {
        let kind = if body.starts_with('{') { "application/json" } else { "text/html" };
        let reply = answered(site, "POST /revoke\n\ntoken=t", &format!("{status}\nContent-Type: {kind}\n\n{body}"));
        assert_eq!(reply.status, expected, "{body}");
        assert!(expected == 200 || error(&reply).is_some(), "{body}");
    }
}

/// What the registry asks once more, if it does.
fn asked_again(request: &str, answer: &str) -> bool {
    let (facts, known) = (example::facts(SiteKind::Cohosted), example::knowledge(SiteKind::Cohosted));
    let request: Request = example::request(request, &facts, &known).unwrap();
    let site = Site { facts: &facts, known: &known };
    let mut reply = example::reply(answer).unwrap();
    Plan::new(REPAIRS, &BTreeMap::new()).mend_reply(&site, &request, &mut reply, true).1.is_some()
}

#[test]
fn nothing_is_asked_again_that_may_have_been_taken() {
    let rest = "&client_secret=s3&resource=https%3A%2F%2Fh%2Fmcp&scope=a";
    for (status, body, expected) in [
        ("400", r#"{"message":"could not parse the answer of the user store"}"#, false),
        ("400", r#"{"message":"resource server could not be reached after the code was redeemed"}"#, false),
        ("400", r#"{"message":"client credentials ok, but token could not be stored"}"#, false),
        (
            "400",
            r#"{"error":"invalid_request","error_description":"code consumed; it was not issued to this client id"}"#,
            false,
        ),
        ("400", r#"{"message":"token rotated, but the resource server could not be notified"}"#, false),
        ("400", r#"{"message":"Unexpected token '<', '<!DOCTYPE ' is not valid JSON"}"#, false),
        ("400", r#"{"message":"Invalid JSON from the upstream"}"#, false),
        ("400", r#"{"message":"Resource not found"}"#, false),
        ("400", r#"{"error":"invalid_target","error_description":"The code was redeemed"}"#, false),
        ("401", r#"{"error":"invalid_client","error_description":"code consumed"}"#, false),
        ("400", r#"{"error":"invalid_scope","error_description":"token rotated"}"#, false),
        ("422", r#"{"message":"code already used; request body is invalid"}"#, false),
        ("400", r#"{"message":"Invalid client secret"}"#, false),
        ("400", r#"{"message":"code_verifier missing for client id a"}"#, false),
        ("415", "", true),
        ("400", r#"{"message":"Request body must be JSON"}"#, true),
        ("400", r#"{"message":"Unexpected token 'g', is not valid JSON"}"#, true),
        ("400", r#"{"message":"Failed to parse request body"}"#, true),
        ("400", r#"{"message":"Missing grant_type"}"#, true),
        ("400", r#"{"error":"invalid_target"}"#, true),
        ("400", r#"{"error":"invalid_request","error_description":"Unknown parameter: resource"}"#, true),
        (
            "400",
            r#"{"error":"invalid_request","error_description":"resource https://h.example/mcp is not configured"}"#,
            true,
        ),
        ("400", r#"{"error":"invalid_request","error_description":"AADSTS901002: resource"}"#, true),
        ("400", r#"{"error":"invalid_client"}"#, true),
        ("400", r#"{"message":"Missing client_id"}"#, true),
        ("400", r#"{"message":"Missing required parameters: client_id and client_secret"}"#, true),
        ("400", r#"{"message":"client_secret is required"}"#, true),
        ("400", r#"{"message":"Authorization header not provided"}"#, true),
    ] {
        for form in [CODE, REFRESH] {
            let length = if body.is_empty() { "Content-Length: 0" } else { "Content-Type: application/json" };
            let again = asked_again(&format!("POST /token\n\n{form}{rest}"), &format!("{status}\n{length}\n\n{body}"));
            assert_eq!(again, expected, "{form}: {body}");
        }
    }
}
