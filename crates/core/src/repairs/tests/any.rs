//! Messages of every kind, for the properties: what servers and clients send, and what nobody should.

pub(super) mod messages;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::example;
use crate::exchange::{Reply, ReplyBody};
use crate::repair::SiteKind;

pub(super) fn any_site() -> impl Strategy<Value = SiteKind> {
    prop::sample::select(vec![
        SiteKind::Cohosted,
        SiteKind::Pathed,
        SiteKind::NoResourceMetadata,
        SiteKind::Foreign,
        SiteKind::Open,
        SiteKind::Loopback,
        SiteKind::Scoped,
        SiteKind::Confidential,
        SiteKind::Bare,
        SiteKind::HalfOpen,
        SiteKind::LetsIn,
        SiteKind::Strict,
        SiteKind::Taught,
    ])
}

pub(super) fn any_request() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "POST /mcp",
        "GET /mcp",
        "OPTIONS /mcp",
        "HEAD /mcp",
        "DELETE /mcp?api_key=k",
        "GET /sse",
        "GET /.well-known/oauth-protected-resource",
        "GET /.well-known/oauth-protected-resource/mcp",
        "OPTIONS /.well-known/oauth-protected-resource/mcp",
        "GET /.well-known/oauth-authorization-server",
        "HEAD /.well-known/openid-configuration",
        "GET /.well-known/openid-configuration",
        "GET /.well-known/jwks.json",
        "GET /.well-known/oauth-protected-resource/other",
        "POST /register",
        "POST /token",
        "POST /token\nAuthorization: Basic YTpzMw==",
        "POST /token\nAuthorization: Basic YTo=",
        "POST /token\nAuthorization: Basic YTolZmY=",
        "POST /revoke",
        "POST /auth/token",
        "GET /authorize?resource=https%3A%2F%2Fmcp.example.com%2Fmcp",
        "POST /auth/consent",
        "GET /authorize?response_type=code&client_id=a&redirect_uri=http%3A%2F%2Fh%2Fcb&state=a%2Bb&scope=+openid+x&nonce=n",
        "GET /auth/authorize?redirect_uri=http%3A%2F%2Flocalhost%3A3000%2Fcb&state=s&scope=&prompt=consent",
        "GET /consent?client_id=a&redirect_uri=https%3A%2F%2Fclaude.ai%2Fapi%2Fmcp%2Fauth_callback",
    ]);
    let origin = prop::option::of(prop::sample::select(vec![
        "https://claude.ai",
        "https://evil.example",
        "null",
        "https://mcp.example.com",
    ]));
    let asked = prop::option::of("(POST|DELETE|[a-z]{0,3})");
    let known = prop::sample::select(vec![
        "",
        "\nAuthorization: Bearer opaque",
        // A JWT that expired in 2001.
        "\nAuthorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjEwMDAwMDAwMDB9.sig",
        "\nX-Api-Key: k",
        "\nAccept: text/html",
    ]);
    let registered = prop::option::of(any_registration());
    (line, origin, asked, known, registered).prop_map(|(line, origin, asked, known, registered)| {
        let mut text = format!("{line}{known}");
        if let Some(origin) = origin {
            text.push_str(&format!("\nOrigin: {origin}"));
        }
        if let Some(asked) = asked {
            text.push_str(&format!(
                "\nAccess-Control-Request-Method: {asked}\nAccess-Control-Request-Headers: a,{asked}"
            ));
        }
        if let Some(body) = registered.filter(|_| line == "POST /register") {
            text.push_str(&format!("\n\n{body}"));
        }
        text
    })
}

/// What token and revocation requests are made of.
pub(super) fn any_form() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "grant_type=refresh_token",
        "grant_type=authorization_code",
        "code=c%2f",
        "refresh_token=r",
        "token=t",
        "client_id=a",
        "client_id=",
        "client_secret=s3",
        "client_secret=%ff",
        "client_secret=",
        "client_assertion=x",
        "scope=",
        "scope=a+b",
        "scope=a%2Cb",
        "resource=https://mcp.example.com/mcp",
        "resource=https://other.example",
    ]);
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.join("&"))
}

/// A request with a form if it is one that has one.
pub(super) fn with_form(request: String, form: &str) -> String {
    let has_form = ["POST /token", "POST /auth/token", "POST /revoke"].iter().any(|start| request.starts_with(start));
    if has_form { format!("{request}\n\n{form}") } else { request }
}

/// A registration as clients send it, more or less.
pub(super) fn any_registration() -> impl Strategy<Value = String> {
    let uris = prop::sample::subsequence(
        vec![
            "https://claude.ai/api/mcp/auth_callback",
            "https://claude.com/api/mcp/auth_callback",
            "http://localhost:1/cb",
            "http://localhost:1/cb2",
            "cursor://a/cb",
            "no url",
        ],
        0..4,
    )
    .prop_map(|uris| json!(uris));
    let method = prop::sample::select(vec!["none", "client_secret_post", "private_key_jwt", ""]).prop_map(Value::from);
    let other = (prop::sample::select(vec!["scope", "grant_types", "software_id", "jwks", "type"]), any_value());
    (prop_oneof![uris, any_value()], prop::option::of(method), prop::option::of(other)).prop_map(
        |(uris, method, other)| {
            let mut body = json!({ "redirect_uris": uris });
            if let Some(method) = method {
                body["token_endpoint_auth_method"] = method;
            }
            if let Some((name, value)) = other {
                body[name] = value;
            }
            body.to_string()
        },
    )
}

pub(super) fn any_url() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "http://localhost:3000/mcp",
        "http://127.0.0.1:3000",
        "https://mcp.example.com/",
        "https://login.example.net/t?iss=x&code=1",
        "http://h/cb?code=1&iss=http%3A%2F%2Flocalhost%3A3000%2F",
        "http://h/cb#code=1&state=a+b&iss=http%3A%2F%2Flocalhost%3A3000",
        "http://h/cb?error=invalid_scope&error_description=nonce",
        "http://h/cb?code=1&state=a%252Bb",
        "http://localhost:3000/cb?code=1&state=s",
        "/relative",
        "http://localhost:3000@evil.example/",
        "",
    ])
    .prop_map(str::to_owned)
}

pub(super) fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec!["1.5", "0.0", "-1e3", "1e999", "1749600000000"])
            .prop_map(|text| serde_json::from_str(text).unwrap()),
        any_url().prop_map(Value::from),
        prop::sample::select(vec![
            "none",
            "client_secret_post",
            "a b",
            "0",
            "2025-06-11",
            "invalid_request",
            "invalid_target nonce"
        ])
        .prop_map(Value::from),
        any_words().prop_map(Value::from),
        any_refusal().prop_map(Value::from),
        Just(json!({ "client_id": "w", "client_secret": "s" })),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            inner.prop_map(|value| json!({ "a": value })),
        ]
    })
}

/// What is said in token answers and refusals.
pub(super) fn any_words() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "t",
        "a,b",
        "JWT",
        "dpop",
        "invalid_grant",
        "invalid_client",
        "invalid_request",
        "token_expired",
        "unauthorized",
        "Bad Request",
        "Unknown client",
        "Client",
        "is not found",
        "Refresh token \"x\" expired.",
        "Missing grant_type",
        "AADSTS9010010: resource",
        "access_token=t&expires_in=60",
        "error=bad_refresh_token",
        "<h1>Client</h1>not\tfound",
        "<script>refresh token expired</script>",
        "Cannot POST /token",
        "Token not found",
        "invalid_token",
        "The token request is invalid.",
        "Redis client not found",
        "invalid resource",
        "client_id is required",
        "the code was redeemed",
    ])
}

/// What servers say when they refuse.
pub(super) fn any_refusal() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "Not authenticated",
        "jwt expired",
        "invalid_token",
        "insufficient_scope: requires scope 'a b\" \\' and 'c'",
        "Invalid Origin header",
        "Forbidden",
        "redirect_uris.1 is not a valid URL",
        "unsupported token_endpoint_auth_method",
        "invalid_scope",
        "Unrecognized field",
        "client_name is required",
        "expected x-www-form-urlencoded",
        "<p>No \"way\"</p><script",
    ])
}

pub(super) fn any_document() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "client_id",
        "client_secret",
        "client_secret_expires_at",
        "client_id_issued_at",
        "token_endpoint_auth_method",
        "redirect_uris",
        "grant_types",
        "scope",
        "contacts",
        "client_uri",
        "registration_client_uri",
        "resource",
        "authorization_servers",
        "issuer",
        "scopes_supported",
        "authorization_server",
        "authorization_endpoint",
        "token_endpoint",
        "token_url",
        "registration_endpoint",
        "response_types_supported",
        "code_challenge_methods_supported",
        "authorization_response_iss_parameter_supported",
        "client_id_metadata_document_supported",
        "jwks_uri",
        "bearer_methods_supported",
        "data",
        "keys",
        "url",
        "error",
        "message",
        "detail",
        "required_scopes",
        "result",
        "own",
        "success",
        "clientId",
        "clientSecret",
        "redirectUris",
        "client_name",
        "software_version",
        "jwks",
        "access_token",
        "accessToken",
        "token_type",
        "expires_in",
        "expiresIn",
        "refresh_token",
        "id_token",
        "data",
        "ok",
        "error_description",
        "error_uri",
        "message",
        "errors",
    ]);
    prop::collection::vec((name, any_value()), 0..8).prop_map(|members| {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}", members.join(" , "))
    })
}

pub(super) fn any_reply() -> impl Strategy<Value = Reply> {
    let status =
        prop::sample::select(vec![200, 201, 204, 301, 302, 307, 308, 400, 401, 403, 404, 405, 415, 422, 429, 500, 503]);
    let headers = prop::collection::vec(
        prop_oneof![
            "[a-zA-Z ,=\"]{0,30}".prop_map(|value| ("www-authenticate", value)),
            Just(("www-authenticate", "Bearer realm=\"r\"".to_owned())),
            Just(("www-authenticate", "Bearer error=\"invalid_token\"".to_owned())),
            Just(("x-amzn-remapped-www-authenticate", "Bearer scope=\"a\"".to_owned())),
            any_url().prop_map(|url| ("location", url)),
            prop::sample::select(vec!["/token/", "/auth/token"]).prop_map(|path| ("location", path.to_owned())),
            prop::sample::select(vec!["/login", "/mcp/", "https://sso.example.net/x", "//login.example.net"])
                .prop_map(|to| ("location", to.to_owned())),
            any_url().prop_map(|url| ("link", format!("<{url}>; rel=x, <"))),
            prop::sample::select(vec!["*", "https://claude.ai", "https://evil.example", "null", "a, b"])
                .prop_map(|value| ("access-control-allow-origin", value.to_owned())),
            Just(("access-control-allow-credentials", "true".to_owned())),
            prop::sample::select(vec!["*", "authorization", "a"])
                .prop_map(|value| ("access-control-allow-headers", value.to_owned())),
            prop::sample::select(vec!["no-store", "public"]).prop_map(|value| ("cache-control", value.to_owned())),
            Just(("content-length", "20".to_owned())),
            Just(("content-type", "text/html".to_owned())),
            prop::sample::select(vec![
                "form-action 'self'",
                "a;form-action *",
                "form-action https:, form-action 'none'"
            ])
            .prop_map(|value| ("content-security-policy", value.to_owned())),
            Just(("vary", "*".to_owned())),
            Just(("set-cookie", "a=b".to_owned())),
        ],
        0..6,
    );
    let kind = prop::sample::select(vec![
        "application/json",
        "application/json",
        "application/json",
        "text/html; charset=utf-8",
        "text/plain",
        "application/x-www-form-urlencoded",
    ]);
    let text = prop::option::of(prop_oneof![
        Just("<!doctype html><title>Log in</title>".to_owned()),
        prop::sample::select(vec!["Unauthorized", "<p>invalid_scope</p>", "invalid_request: nonce", "AADSTS901002",])
            .prop_map(str::to_owned),
        any_words().prop_map(str::to_owned),
        any_refusal().prop_map(str::to_owned),
        "[ -~]{0,40}",
    ]);
    (status, headers, kind, prop::option::of(any_document()), text).prop_map(
        |(status, headers, kind, document, text)| {
            let mut reply = example::reply(&status.to_string()).unwrap();
            for (name, value) in headers {
                if let Ok(value) = value.parse() {
                    reply.headers.append(name, value);
                }
            }
            if let Some(document) = document {
                let object = crate::edit::json::Object::parse(Bytes::from(document)).unwrap();
                reply.body = ReplyBody::Json(object);
            } else if let Some(text) = text {
                reply.body = ReplyBody::Text(Bytes::from(text));
            }
            reply.headers.insert("content-type", kind.parse().unwrap());
            reply
        },
    )
}

/// A message to the MCP endpoint, with and without a token.
pub(super) fn any_message() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec!["", "\nAuthorization: Bearer opaque", "\nOrigin: https://evil.example"]);
    let line = prop::sample::select(vec!["POST /mcp", "GET /mcp", "GET /sse", "POST /mcp?token=t"]);
    (line, known).prop_map(|(line, known)| format!("{line}{known}"))
}

/// An answer that refuses in words, with whatever status and beside whatever else.
pub(super) fn any_refusing_reply() -> impl Strategy<Value = Reply> {
    let members = prop::collection::vec(("(error|message|detail|scope|result|id)", any_refusal()), 1..4);
    let document = members.prop_map(|members| {
        let members: serde_json::Map<String, Value> =
            members.into_iter().map(|(name, said)| (name, Value::from(said))).collect();
        [json!(members), json!({ "jsonrpc": "2.0", "error": members })]
    });
    (any_reply(), prop::sample::select(vec![200, 400, 401, 403, 422, 500]), document, 0..2_usize).prop_map(
        |(mut reply, status, documents, which)| {
            reply.status = http::StatusCode::from_u16(status).unwrap();
            reply.headers.insert("content-type", "application/json".parse().unwrap());
            let text = documents[which].to_string();
            reply.body = ReplyBody::Json(crate::edit::json::Object::parse(Bytes::from(text)).unwrap());
            reply
        },
    )
}

/// JSON as no printer would write it again.
pub(super) fn any_odd_text() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "1.50",
        "1e400",
        "-0.0",
        "123456789012345678901234567890",
        r#""\u00e9\/""#,
        r#"{"a" : [1.0,  null], "a":2}"#,
        "[ ]",
        r#""""#,
        "null",
    ])
}
