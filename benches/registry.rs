//! What the registry costs: the repairs on sound and on broken exchanges of each class, and the editors below them.
//!
//! The allocator is the binary's, with a counter around it: counts of allocations do not depend on the machine.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot run shall say so and end")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use bytes::Bytes;
use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use mcp_mend::edit::challenge::Challenges;
use mcp_mend::edit::json::Object;
use mcp_mend::endpoint;
use mcp_mend::example;
use mcp_mend::exchange::{Event, Facts, Reply, ReplyBody, Request, Site};
use mcp_mend::knowledge::Knowledge;
use mcp_mend::plan::Plan;
use mcp_mend::repair::SiteKind;
use mcp_mend::repairs::REPAIRS;
use mcp_mend::sse::{self, Splitter};
use serde_json::Value;

#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: AllocProfiler<tikv_jemallocator::Jemalloc> = AllocProfiler::new(tikv_jemallocator::Jemalloc);

#[cfg(target_env = "msvc")]
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// A message to the MCP endpoint as clients send it.
macro_rules! message {
    () => {
        "POST /mcp\nHost: mcp.example.com\nUser-Agent: claude-user/1.0\nAccept: application/json, text/event-stream\n\
         Content-Type: application/json\nMCP-Protocol-Version: 2025-06-18\nMcp-Session-Id: 8f14e45fceea167a"
    };
}

/// A registration answer with a fraction of a second, a null for every member that is not set, and an address of the
/// upstream's own.
const REGISTRATION: &str = r#"{"client_id":"0b5d6b8e-6f0a-4e0c-9c53-7d3f1f1f8a11","client_secret":null,
"client_id_issued_at":1749513600.25,"client_secret_expires_at":0.0,"client_name":"Claude","client_uri":null,
"logo_uri":null,"scope":"mcp:read mcp:write","contacts":null,"tos_uri":null,"policy_uri":null,"jwks_uri":null,
"redirect_uris":["https://claude.ai/api/mcp/auth_callback"],"grant_types":["authorization_code","refresh_token"],
"response_types":["code"],"token_endpoint_auth_method":"none"}"#;

const SOUND_REGISTRATION: &str = r#"{"client_id":"0b5d6b8e-6f0a-4e0c-9c53-7d3f1f1f8a11",
"client_id_issued_at":1749513600,"client_name":"Claude","scope":"mcp:read mcp:write",
"redirect_uris":["https://claude.ai/api/mcp/auth_callback"],"grant_types":["authorization_code","refresh_token"],
"response_types":["code"],"token_endpoint_auth_method":"none"}"#;

const SERVER_METADATA: &str = r#"{"issuer":"http://localhost:3000",
"authorization_endpoint":"http://localhost:3000/authorize","token_endpoint":"http://localhost:3000/token",
"registration_endpoint":"http://localhost:3000/register","revocation_endpoint":"http://localhost:3000/revoke",
"response_types_supported":["code"],"grant_types_supported":["authorization_code","refresh_token"],
"token_endpoint_auth_methods_supported":["none","client_secret_post"],"code_challenge_methods_supported":["S256"],
"scopes_supported":["mcp:read","mcp:write"]}"#;

const RESOURCE_METADATA: &str = r#"{"resource":"https://mcp.example.com/mcp",
"authorization_servers":["https://mcp.example.com"],"scopes_supported":["mcp:read","mcp:write"],
"bearer_methods_supported":["header"]}"#;

const TOKEN: &str = r#"{"access_token":"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl","token_type":"Bearer",
"expires_in":3600,"refresh_token":"5f1d7a84db00d2fce00b31a7fc73224f","scope":"mcp:read mcp:write"}"#;

const NO_STORE: &str = "Cache-Control: private, no-store, no-cache, must-revalidate, max-age=0";

/// An exchange to run all default repairs on.
struct Case {
    name: &'static str,
    request: &'static str,
    head: &'static str,
    cache: &'static str,
    body: &'static str,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const CASES: &[Case] = &[
    Case {
        name: "mcp 200 sound",
        request: message!(),
        head: "200\nContent-Type: application/json\nMcp-Session-Id: 8f14e45fceea167a\nContent-Length: 58",
        cache: "",
        body: "",
    },
    Case {
        name: "mcp 200 from a page, CORS missing",
        request: concat!(message!(), "\nOrigin: https://claude.ai"),
        head: "200\nContent-Type: application/json\nMcp-Session-Id: 8f14e45fceea167a\nContent-Length: 58",
        cache: "",
        body: "",
    },
    Case {
        name: "mcp 401 bare",
        request: message!(),
        head: "401\nContent-Type: application/json\nContent-Length: 24",
        cache: "",
        body: "",
    },
    Case {
        name: "mcp 401 sound",
        request: message!(),
        head: "401\nContent-Type: application/json\nContent-Length: 24\n\
               WWW-Authenticate: Bearer resource_metadata=\
               \"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\
               Access-Control-Expose-Headers: WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After",
        cache: "",
        body: "",
    },
    Case {
        name: "resource metadata sound",
        request: "GET /.well-known/oauth-protected-resource/mcp\nHost: mcp.example.com\nAccept: application/json",
        head: "200\nContent-Type: application/json\nAccess-Control-Allow-Origin: *",
        cache: NO_STORE,
        body: RESOURCE_METADATA,
    },
    Case {
        name: "server metadata of localhost",
        request: "GET /.well-known/oauth-authorization-server\nHost: mcp.example.com\nAccept: application/json",
        head: "200\nContent-Type: application/json",
        cache: "",
        body: SERVER_METADATA,
    },
    Case {
        name: "registration sound",
        request: "POST /register\nHost: mcp.example.com\nContent-Type: application/json",
        head: "201\nContent-Type: application/json",
        cache: "Cache-Control: no-store",
        body: SOUND_REGISTRATION,
    },
    Case {
        name: "registration, floats and nulls",
        request: "POST /register\nHost: mcp.example.com\nContent-Type: application/json",
        head: "201\nContent-Type: application/json",
        cache: "",
        body: REGISTRATION,
    },
    Case {
        name: "token",
        request: "POST /token\nHost: mcp.example.com\nContent-Type: application/x-www-form-urlencoded\n\n\
                  grant_type=authorization_code&code=abc&code_verifier=def\
                  &redirect_uri=https%3A%2F%2Fclaude.ai%2Fapi%2Fmcp%2Fauth_callback\
                  &resource=https%3A%2F%2Fmcp.example.com%2Fmcp",
        head: "200\nContent-Type: application/json",
        cache: "",
        body: TOKEN,
    },
    Case {
        name: "preflight refused",
        request: "OPTIONS /mcp\nHost: mcp.example.com\nOrigin: https://claude.ai\n\
                  Access-Control-Request-Method: POST\n\
                  Access-Control-Request-Headers: authorization,content-type,mcp-protocol-version",
        head: "401\nContent-Type: application/json\nContent-Length: 24",
        cache: "",
        body: "",
    },
    Case {
        name: "other path",
        request: "GET /style.css\nHost: mcp.example.com\nAccept: text/css",
        head: "200\nContent-Type: text/css\nContent-Length: 1200",
        cache: "",
        body: "",
    },
];

struct Stage {
    facts: Facts,
    known: Knowledge,
    plan: Plan,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| Stage {
    facts: example::facts(SiteKind::Cohosted),
    known: example::knowledge(SiteKind::Cohosted),
    plan: Plan::new(REPAIRS, &BTreeMap::new()),
});

impl Stage {
    fn site(&self) -> Site<'_> {
        Site { facts: &self.facts, known: &self.known }
    }

    fn exchange(&self, case: &Case) -> (Request, Reply) {
        let request = example::request(case.request, &self.facts, &self.known).unwrap();
        let cache = if case.cache.is_empty() { String::new() } else { format!("\n{}", case.cache) };
        let reply = example::reply(&format!("{}{cache}\n\n{}", case.head, case.body)).unwrap();
        (request, reply)
    }
}

/// All default repairs on both sides of an exchange whose bodies are parsed.
#[divan::bench(args = CASES)]
fn exchange(bencher: Bencher, case: &Case) {
    let stage = &*STAGE;
    let (request, reply) = stage.exchange(case);
    bencher.with_inputs(|| (request.clone(), reply.clone())).bench_local_refs(|(request, reply)| {
        let asked = stage.plan.mend_request(&stage.site(), request);
        let answered = stage.plan.mend_reply(&stage.site(), request, reply, true);
        (asked, answered)
    });
}

/// What decides, before a body is touched, whether one has to be read.
#[divan::bench(args = CASES)]
fn needs(bencher: Bencher, case: &Case) {
    let stage = &*STAGE;
    let (request, mut reply) = stage.exchange(case);
    reply.body = ReplyBody::Stream;
    bencher.bench_local(|| {
        let plan = &stage.plan;
        (plan.request_needs(&request), plan.reply_needs(&request, &reply), plan.wants_events(&request, &reply))
    });
}

#[divan::bench]
fn classify(bencher: Bencher) {
    let stage = &*STAGE;
    let paths = ["/mcp", "/token", "/.well-known/oauth-protected-resource/mcp", "/style.css"];
    bencher.counter(ItemsCount::new(paths.len())).bench_local(|| {
        divan::black_box(paths).map(|path| endpoint::classify(path, &stage.facts.mcp_path, &stage.known.endpoints))
    });
}

#[divan::bench]
fn endpoint_event(bencher: Bencher) {
    let stage = &*STAGE;
    let (request, reply) = stage.exchange(&Case {
        name: "",
        request: "GET /sse\nAccept: text/event-stream",
        head: "200\nContent-Type: text/event-stream",
        cache: "",
        body: "",
    });
    let text = Bytes::from_static(b"event: endpoint\ndata: http://localhost:3000/messages?session=1\n\n");
    bencher
        .with_inputs(|| Event::arrived(text.clone()))
        .bench_local_refs(|event| stage.plan.mend_event(&stage.site(), &request, &reply, event));
}

/// What each event of a stream costs, all repairs on: a progress notification, and the answer of a tool.
#[divan::bench(args = [
    ("notification", r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":50}}"#),
    ("answer", r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"It is sunny in Rome."}]}}"#),
])]
fn sound_event(bencher: Bencher, (_, message): (&str, &str)) {
    let stage = &*STAGE;
    let (request, reply) = stage.exchange(&Case {
        name: "",
        request: CALL,
        head: "200\nContent-Type: text/event-stream",
        cache: "",
        body: "",
    });
    let text = Bytes::from(format!("event: message\ndata: {message}\n\n"));
    bencher
        .with_inputs(|| Event::arrived(text.clone()))
        .bench_local_refs(|event| stage.plan.mend_event(&stage.site(), &request, &reply, event));
}

/// What a message in a body costs, all repairs on: a small answer of a tool, and a list of a hundred tools, sound and with a
/// null in each.
#[divan::bench(args = [("answer", 0, false), ("list", 100, false), ("list with nulls", 100, true)])]
fn message(bencher: Bencher, (_, tools, nulls): (&str, usize, bool)) {
    let stage = &*STAGE;
    let request = if tools == 0 { CALL } else { LIST };
    let (request, _) = stage.exchange(&Case { name: "", request, head: "200", cache: "", body: "" });
    let title = if nulls { r#""title":null,"# } else { "" };
    let tool = format!(
        r#"{{"name":"get_weather",{title}"description":"The weather of a city, now and in the next days","inputSchema":{{"type":"object","properties":{{"city":{{"type":"string","description":"Its name"}}}},"required":["city"]}}}}"#
    );
    let text = match tools {
        0 => r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"It is sunny in Rome."}]}}"#
            .to_owned(),
        _ => format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{}]}}}}"#, vec![tool; tools].join(",")),
    };
    let text = Bytes::from(text);
    bencher.bench_local(|| stage.plan.mend_message(&stage.site(), &request, &text));
}

const CALL: &str = "POST /mcp\nAccept: application/json, text/event-stream\nContent-Type: application/json\n\n\
                    {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"get_weather\"}}";
const LIST: &str = "POST /mcp\nAccept: application/json, text/event-stream\nContent-Type: application/json\n\n\
                    {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}";

#[divan::bench_group]
mod object {
    use super::*;

    #[divan::bench(args = [("registration", REGISTRATION), ("server metadata", SERVER_METADATA), ("token", TOKEN)])]
    fn parse(bencher: Bencher, (_, text): (&str, &'static str)) {
        let source = Bytes::from_static(text.as_bytes());
        bencher.with_inputs(|| source.clone()).bench_local_values(Object::parse);
    }

    #[divan::bench]
    fn edit_and_print(bencher: Bencher) {
        let object = Object::parse(Bytes::from_static(REGISTRATION.as_bytes())).unwrap();
        bencher.with_inputs(|| object.clone()).bench_local_refs(|object| {
            object.set("client_secret_expires_at", Value::from(0));
            object.set("client_id_issued_at", Value::from(1_749_513_600));
            object.remove("client_uri");
            object.to_bytes()
        });
    }

    /// The way of a body that is read and needs nothing.
    #[divan::bench]
    fn parse_and_leave(bencher: Bencher) {
        let source = Bytes::from_static(SOUND_REGISTRATION.as_bytes());
        bencher.with_inputs(|| source.clone()).bench_local_values(|source| Object::parse(source).unwrap().to_bytes());
    }
}

#[divan::bench_group]
mod challenges {
    use super::*;

    const ONE: &str = "401\nWWW-Authenticate: Bearer resource_metadata=\
                       \"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\", scope=\"mcp:read\"";
    const MIXED: &str = "401\nWWW-Authenticate: Negotiate abcd==, Basic realm=\"a \\\"b\\\"\"\n\
                         WWW-Authenticate: Bearer realm=\"r\", error=\"invalid_token\", error_description=\"x, y\"";

    #[divan::bench(args = [("one", ONE), ("mixed", MIXED)])]
    fn read(bencher: Bencher, (_, text): (&str, &str)) {
        let reply = example::reply(text).unwrap();
        bencher.bench_local(|| Challenges::read(&reply.headers));
    }

    #[divan::bench(args = [("one", ONE), ("mixed", MIXED)])]
    fn write(bencher: Bencher, (_, text): (&str, &str)) {
        let reply = example::reply(text).unwrap();
        let challenges = Challenges::read(&reply.headers);
        bencher.with_inputs(|| reply.headers.clone()).bench_local_refs(|headers| {
            headers.remove(http::header::WWW_AUTHENTICATE);
            for line in challenges.lines() {
                headers.append(http::header::WWW_AUTHENTICATE, line);
            }
        });
    }
}

#[divan::bench_group]
mod events {
    use super::*;

    const EVENTS: usize = 100;
    const EVENT: &str = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\
                         \"params\":{\"progressToken\":1,\"progress\":50,\"total\":100}}\n\n";

    /// Whole events, in pieces of this many bytes.
    #[divan::bench(args = [64, 1024, 16384])]
    fn split(bencher: Bencher, piece: usize) {
        let text = EVENT.repeat(EVENTS);
        bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| {
            let (mut splitter, mut found) = (Splitter::default(), 0);
            for piece in text.as_bytes().chunks(piece) {
                splitter.push(Bytes::copy_from_slice(piece));
                while splitter.next_event().is_some() {
                    found += 1;
                }
            }
            assert_eq!(found, EVENTS);
        });
    }

    #[divan::bench]
    fn field(bencher: Bencher) {
        bencher.bench_local(|| sse::field(divan::black_box(EVENT).as_bytes(), "data").map(|data| data.len()));
    }
}
