//! Tokens that are issued in a form that clients cannot read (catalogue 4E).

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::{Defect, remove};
use crate::demo::parts::change::{Change, Seam};
use crate::demo::parts::reply::{self, Reply};
use crate::demo::{mended, visit};

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "token-form",
        row: "E-02",
        summary: "the token comes as a form, as GitHub sends it",
        ask: visit::TOKEN,
        check: mended::token_issued,
        change: &[Change::After(
            Seam::Token,
            |_, reply| if reply.status().is_success() { as_form(reply) } else { reply },
        )],
    },
    Defect {
        name: "token-html-type",
        row: "E-02",
        summary: "the token comes as JSON that calls itself text/html",
        ask: visit::TOKEN,
        check: mended::token_issued,
        change: &[Change::After(Seam::Token, |_, reply| reply::with(reply, CONTENT_TYPE, "text/html; charset=utf-8"))],
    },
    Defect {
        name: "expires-in-string",
        row: "E-03",
        summary: "expires_in is a text",
        ask: visit::TOKEN,
        check: mended::token_issued,
        change: &[Change::Document(Seam::Token, |_, token| token["expires_in"] = json!("3600"))],
    },
    Defect {
        name: "expires-in-fraction",
        row: "E-03",
        summary: "expires_in has a fraction",
        ask: visit::TOKEN,
        check: mended::token_issued,
        change: &[Change::Document(Seam::Token, |_, token| token["expires_in"] = json!(3599.97))],
    },
    Defect {
        name: "expires-in-null",
        row: "E-03",
        summary: "expires_in is null",
        ask: visit::TOKEN,
        check: mended::token_issued,
        change: &[Change::Document(Seam::Token, |_, token| token["expires_in"] = Value::Null)],
    },
    Defect {
        name: "token-type-missing",
        row: "E-04",
        summary: "no token_type",
        ask: visit::TOKEN,
        check: mended::token_issued,
        change: &[Change::Document(Seam::Token, |_, token| remove(token, "token_type"))],
    },
    Defect {
        name: "token-type-odd",
        row: "E-04",
        summary: "token_type says what the token is made of: JWT",
        ask: visit::TOKEN,
        check: mended::token_issued,
        change: &[Change::Document(Seam::Token, |_, token| token["token_type"] = json!("JWT"))],
    },
    Defect {
        name: "token-nulls",
        row: "E-09",
        summary: "members that are null or empty",
        ask: visit::TOKEN,
        check: mended::token_issued,
        change: &[Change::Document(Seam::Token, |_, token| {
            token["refresh_token"] = json!("");
            token["id_token"] = Value::Null;
        })],
    },
    Defect {
        name: "token-scope-list",
        row: "E-09",
        summary: "`scope` is a list",
        ask: visit::TOKEN,
        check: mended::token_issued,
        change: &[Change::Document(Seam::Token, |_, token| token["scope"] = json!(["mcp"]))],
    },
    Defect {
        name: "token-status-201",
        row: "E-15",
        summary: "201 for a token",
        ask: visit::TOKEN,
        check: mended::token_issued,
        change: &[Change::After(Seam::Token, |_, reply| {
            if reply.status().is_success() { reply::status(reply, StatusCode::CREATED) } else { reply }
        })],
    },
];

fn as_form(reply: Reply) -> Reply {
    let document = reply::document(&reply);
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in document.as_object().into_iter().flatten() {
        form.append_pair(name, value.as_str().unwrap_or(&value.to_string()));
    }
    let form = form.finish();
    reply::with(reply::body(reply, form), CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
}
