//! How the MCP endpoint turns somebody away (catalogue 4A).

use http::StatusCode;
use http::header::{HeaderName, WWW_AUTHENTICATE};
use http::{HeaderValue, Method};
use serde_json::{Value, json};

use super::{Defect, html, login_page, redirect};
use crate::demo::parts::body::Body;
use crate::demo::parts::change::{Asked, Change, Seam};
use crate::demo::parts::reply::{self, Reply};
use crate::demo::{mended, visit};
use crate::endpoint::{RESOURCE_METADATA, SERVER_METADATA, resource_metadata_path};
use bytes::Bytes;

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "challenge-renamed",
        row: "A-01",
        summary: "a gateway calls the challenge x-amzn-remapped-www-authenticate",
        ask: visit::STRANGER,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, |_, mut reply| {
            let name = HeaderName::from_static("x-amzn-remapped-www-authenticate");
            if let Some(challenge) = reply.headers_mut().remove(WWW_AUTHENTICATE) {
                reply.headers_mut().insert(name, challenge);
            }
            reply
        })],
    },
    Defect {
        name: "challenge-bare",
        row: "A-02",
        summary: "the challenge does not say where the resource metadata are",
        ask: visit::STRANGER,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, |_, reply| {
            reply::with(reply, WWW_AUTHENTICATE, "Bearer realm=\"mcp\"")
        })],
    },
    Defect {
        name: "pointer-relative",
        row: "A-03",
        summary: "resource_metadata is a path, not a URL",
        ask: visit::STRANGER,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, |_, reply| points_to(reply, &resource_metadata_path(visit::MCP)))],
    },
    Defect {
        name: "pointer-elsewhere",
        row: "A-03",
        summary: "resource_metadata names the host behind a gateway",
        ask: visit::STRANGER,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, |_, reply| {
            points_to(reply, &format!("http://mcp.internal:8080{RESOURCE_METADATA}"))
        })],
    },
    Defect {
        name: "pointer-to-server-metadata",
        row: "A-03",
        summary: "resource_metadata leads to the authorization server's metadata",
        ask: visit::STRANGER,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, |asked, reply| {
            points_to(reply, &format!("{}{SERVER_METADATA}", asked.origin))
        })],
    },
    Defect {
        name: "challenge-basic-first",
        row: "A-04",
        summary: "Basic stands before Bearer",
        ask: visit::STRANGER,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, basic_first)],
    },
    Defect {
        name: "challenge-malformed",
        row: "A-05",
        summary: "parameters without quotes and without commas between them",
        ask: visit::STRANGER,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, |asked, reply| {
            let pointer = format!("{}{}", asked.origin, resource_metadata_path(visit::MCP));
            let challenge = format!("Bearer realm=\"\" resource_metadata={pointer} scope=\"mcp\"");
            reply::with_text(reply, WWW_AUTHENTICATE, &challenge)
        })],
    },
    Defect {
        name: "challenge-unterminated",
        row: "A-05",
        summary: "the last parameter's quotation mark is missing",
        ask: visit::STRANGER,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, |_, reply| {
            let challenge = challenge(&reply);
            reply::with_text(reply, WWW_AUTHENTICATE, challenge.trim_end_matches('"'))
        })],
    },
    Defect {
        name: "challenge-lower-case",
        row: "A-06",
        summary: "`bearer`, which some clients do not know",
        ask: visit::STRANGER,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, |_, reply| {
            let challenge = challenge(&reply).replacen("Bearer", "bearer", 1);
            reply::with_text(reply, WWW_AUTHENTICATE, &challenge)
        })],
    },
    Defect {
        name: "no-token-403",
        row: "A-07",
        summary: "403 for a missing token, as FastAPI's HTTPBearer has it",
        ask: visit::STRANGER,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, |asked, reply| {
            instead(asked, reply, false, StatusCode::FORBIDDEN, &json!({"detail": "Not authenticated"}))
        })],
    },
    Defect {
        name: "no-token-400",
        row: "A-07",
        summary: "400 for a missing token",
        ask: visit::STRANGER,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, |asked, reply| {
            let body = json!({"error": "unauthorized", "error_description": "Missing Authorization header"});
            instead(asked, reply, false, StatusCode::BAD_REQUEST, &body)
        })],
    },
    Defect {
        name: "login-redirect",
        row: "A-08",
        summary: "a request without a token is redirected to a login page",
        ask: visit::STRANGER,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, |asked, reply| match asked.bearer() {
            None => redirect(StatusCode::FOUND, "/login"),
            Some(_) => reply,
        })],
    },
    Defect {
        name: "login-page",
        row: "A-08",
        summary: "a request without a token gets a login page, with status 200",
        ask: visit::STRANGER,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, |asked, reply| match asked.bearer() {
            None => login_page(),
            Some(_) => reply,
        })],
    },
    Defect {
        name: "unauthorized-in-200",
        row: "A-09",
        summary: "200 with a JSON-RPC error `Unauthorized` for a missing token",
        ask: visit::STRANGER,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, |asked, reply| {
            let error = json!({"code": -32001, "message": "Unauthorized"});
            let body = json!({"jsonrpc": "2.0", "id": asked.json()["id"], "error": error});
            instead(asked, reply, false, StatusCode::OK, &body)
        })],
    },
    Defect {
        name: "bad-token-403",
        row: "A-10",
        summary: "403 for a token that is unknown or expired",
        ask: visit::BAD_TOKEN,
        check: mended::token_refused,
        change: &[Change::After(Seam::Refused, |asked, reply| {
            let body = json!({"error": "invalid_token", "error_description": "The access token expired"});
            instead(asked, reply, true, StatusCode::FORBIDDEN, &body)
        })],
    },
    Defect {
        name: "bad-token-500",
        row: "A-10",
        summary: "500 for a token that is unknown or expired",
        ask: visit::BAD_TOKEN,
        check: mended::token_refused,
        change: &[Change::After(Seam::Refused, |asked, reply| {
            let body = json!({"error": "invalid_token", "error_description": "The access token expired"});
            instead(asked, reply, true, StatusCode::INTERNAL_SERVER_ERROR, &body)
        })],
    },
    Defect {
        name: "bad-token-200",
        row: "A-10",
        summary: "200 with a JSON-RPC error for a token that is unknown or expired",
        ask: visit::BAD_TOKEN,
        check: mended::token_refused,
        change: &[Change::After(Seam::Refused, |asked, reply| {
            let error = json!({"code": -32001, "message": "Unauthorized: invalid_token"});
            let body = json!({"jsonrpc": "2.0", "id": asked.json()["id"], "error": error});
            instead(asked, reply, true, StatusCode::OK, &body)
        })],
    },
    Defect {
        name: "expired-token-200",
        row: "A-10",
        summary: "an expired token is a tool's failure, with status 200",
        ask: visit::EXPIRED_TOKEN,
        check: mended::token_refused,
        change: &[Change::After(Seam::Refused, |asked, reply| {
            let content = json!([{"type": "text", "text": "Error: token expired"}]);
            let result = json!({"isError": true, "content": content});
            let body = json!({"jsonrpc": "2.0", "id": asked.json()["id"], "result": result});
            instead(asked, reply, true, StatusCode::OK, &body)
        })],
    },
    Defect {
        name: "scope-in-body-only",
        row: "A-11",
        summary: "403 that names the missing scope in its body only",
        ask: visit::STEP_UP,
        check: mended::scope_asked,
        change: &[Change::After(Seam::Opened, |_, reply| {
            if reply.status() != StatusCode::FORBIDDEN {
                return reply;
            }
            let reply = reply::without(reply, WWW_AUTHENTICATE);
            reply::changed(reply, |body| body["scope"] = json!("mcp mcp:forget"))
        })],
    },
    Defect {
        name: "stream-without-token",
        row: "A-12",
        summary: "GET opens a stream without a token, while POST wants one",
        ask: visit::STRANGER_LISTENS,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, |asked, reply| {
            let open = asked.head.method == Method::GET && asked.bearer().is_none();
            if open { reply::events(Body::whole(Bytes::from_static(b": open\n\n"))) } else { reply }
        })],
    },
    Defect {
        name: "refusal-html",
        row: "A-14",
        summary: "the body of a 401 is a page",
        ask: visit::STRANGER,
        check: mended::challenged_in_json,
        change: &[Change::After(Seam::Refused, |_, reply| {
            let challenge = challenge(&reply);
            reply::with_text(html(StatusCode::UNAUTHORIZED, "401 Unauthorized"), WWW_AUTHENTICATE, &challenge)
        })],
    },
];

fn challenge(reply: &Reply) -> String {
    let value = reply.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

fn points_to(reply: Reply, pointer: &str) -> Reply {
    reply::with_text(reply, WWW_AUTHENTICATE, &format!("Bearer resource_metadata=\"{pointer}\""))
}

fn basic_first(_: &Asked<'_>, mut reply: Reply) -> Reply {
    if let Some(bearer) = reply.headers_mut().remove(WWW_AUTHENTICATE) {
        reply.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"mcp\""));
        reply.headers_mut().append(WWW_AUTHENTICATE, bearer);
    }
    reply
}

/// Another answer to those that came with a token, or to those that came without one.
fn instead(asked: &Asked<'_>, reply: Reply, with_token: bool, status: StatusCode, body: &Value) -> Reply {
    if asked.bearer().is_some() == with_token { reply::json(status, body) } else { reply }
}
