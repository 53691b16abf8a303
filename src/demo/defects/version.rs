//! How versions are negotiated, named and refused (catalogue 4F, F-04 to F-10).

use http::StatusCode;
use serde_json::{Value, json};

use super::{Defect, html, refused, remove};
use crate::demo::mended::messages as mended;
use crate::demo::parts::change::{Asked, Change, Seam};
use crate::demo::parts::reply::{self, Reply};
use crate::demo::visit::messages as visit;
use crate::endpoint::VERSION;

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "version-too-new",
        row: "F-04",
        summary: "400 for MCP-Protocol-Version: 2025-11-25, which the server does not know",
        ask: visit::TOOLS,
        check: mended::tools_listed,
        change: &[Change::Before(Seam::Opened, |asked| {
            (asked.header(&VERSION) == Some("2025-11-25")).then(|| unsupported(asked))
        })],
    },
    Defect {
        name: "version-wanted",
        row: "F-05",
        summary: "400 for a message without MCP-Protocol-Version",
        ask: visit::TOOLS_WITHOUT_VERSION,
        check: mended::tools_listed,
        change: &[Change::Before(Seam::Opened, |asked| {
            let lacks = asked.header(&VERSION).is_none() && asked.wants_answer() && !asked.calls("initialize");
            let text = "Bad Request: MCP-Protocol-Version header is required";
            lacks.then(|| refused(StatusCode::BAD_REQUEST, -32000, text))
        })],
    },
    Defect {
        name: "initialize-new-refused",
        row: "F-06",
        summary: "initialize with a version of 2025-11 is refused, not negotiated",
        ask: visit::INITIALIZE,
        check: mended::initialized,
        change: &[Change::Before(Seam::Opened, |asked| {
            let version = asked.json()["params"]["protocolVersion"].as_str().map(str::to_owned);
            let is_new = asked.calls("initialize") && version.is_some_and(|version| *version > *"2025-06-18");
            is_new.then(|| {
                let data = json!({"supported": ["2025-06-18", "2025-03-26"]});
                let error = json!({"code": -32602, "message": "Unsupported protocol version", "data": data});
                reply::json(StatusCode::OK, &json!({"jsonrpc": "2.0", "id": asked.json()["id"], "error": error}))
            })
        })],
    },
    Defect {
        name: "initialize-echo",
        row: "F-06",
        summary: "initialize repeats whatever version it is asked for",
        ask: visit::INITIALIZE_NEWEST,
        check: mended::initialized,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            if asked.calls("initialize") {
                answer["result"]["protocolVersion"] = asked.json()["params"]["protocolVersion"].take();
            }
        })],
    },
    Defect {
        name: "initialize-version-odd",
        row: "F-06",
        summary: "initialize names the version of the server itself: 1.0",
        ask: visit::INITIALIZE,
        check: mended::initialized,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            hello(asked, answer, |result| result["protocolVersion"] = json!("1.0"))
        })],
    },
    Defect {
        name: "initialize-incomplete",
        row: "F-07",
        summary: "initialize without capabilities, serverInfo and version",
        ask: visit::INITIALIZE,
        check: mended::initialized,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            hello(asked, answer, |result| {
                for name in ["protocolVersion", "capabilities", "serverInfo"] {
                    remove(result, name);
                }
            })
        })],
    },
    Defect {
        name: "initialize-server-nameless",
        row: "F-07",
        summary: "serverInfo without name and version",
        ask: visit::INITIALIZE,
        check: mended::initialized,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            hello(asked, answer, |result| result["serverInfo"] = json!({}))
        })],
    },
    Defect {
        name: "capabilities-true",
        row: "F-07",
        summary: "a capability is `true`, not an object",
        ask: visit::INITIALIZE,
        check: mended::initialized,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            hello(asked, answer, |result| result["capabilities"]["tools"] = json!(true))
        })],
    },
    Defect {
        name: "capabilities-null",
        row: "F-07",
        summary: "null for a capability that the server does not have",
        ask: visit::INITIALIZE,
        check: mended::initialized,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            hello(asked, answer, |result| result["capabilities"]["logging"] = Value::Null)
        })],
    },
    Defect {
        name: "discover-500",
        row: "F-08",
        summary: "500 for server/discover",
        ask: visit::DISCOVER,
        check: mended::older,
        change: &[Change::Before(Seam::Opened, |asked| {
            discovered(asked, || html(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error"))
        })],
    },
    Defect {
        name: "discover-502",
        row: "F-08",
        summary: "502 of a gateway for server/discover",
        ask: visit::DISCOVER,
        check: mended::older,
        change: &[Change::Before(Seam::Opened, |asked| {
            discovered(asked, || html(StatusCode::BAD_GATEWAY, "502 Bad Gateway"))
        })],
    },
    Defect {
        name: "discover-403",
        row: "F-08",
        summary: "a firewall blocks server/discover with 403",
        ask: visit::DISCOVER,
        check: mended::older,
        change: &[Change::Before(Seam::Opened, |asked| {
            discovered(asked, || html(StatusCode::FORBIDDEN, "403 Forbidden"))
        })],
    },
    Defect {
        name: "discover-404",
        row: "F-08",
        summary: "404 in plain text for server/discover",
        ask: visit::DISCOVER,
        check: mended::older,
        change: &[Change::Before(Seam::Opened, |asked| {
            discovered(asked, || reply::text(StatusCode::NOT_FOUND, "text/plain", "Not Found"))
        })],
    },
    Defect {
        name: "discover-page",
        row: "F-08",
        summary: "server/discover is answered with a page, with status 200",
        ask: visit::DISCOVER,
        check: mended::older,
        change: &[Change::Before(Seam::Opened, |asked| discovered(asked, || html(StatusCode::OK, "Welcome")))],
    },
    Defect {
        name: "discover-202",
        row: "F-08",
        summary: "202 for server/discover, and no answer",
        ask: visit::DISCOVER,
        check: mended::older,
        change: &[Change::Before(Seam::Opened, |asked| discovered(asked, || reply::empty(StatusCode::ACCEPTED)))],
    },
    Defect {
        name: "discover-hangs",
        row: "F-08",
        summary: "server/discover is never answered",
        ask: visit::DISCOVER,
        check: mended::older,
        change: &[Change::Before(Seam::Opened, |asked| {
            discovered(asked, || reply::late(reply::empty(StatusCode::GATEWAY_TIMEOUT)))
        })],
    },
    Defect {
        name: "discover-without-id",
        row: "F-08",
        summary: "server/discover is refused without the id of the request",
        ask: visit::DISCOVER,
        check: mended::older,
        change: &[Change::Before(Seam::Opened, |asked| {
            discovered(asked, || refused(StatusCode::OK, -32601, "Method not found"))
        })],
    },
    Defect {
        name: "meta-refused",
        row: "F-10",
        summary: "400 for members of _meta that a newer version knows",
        ask: visit::TOOLS_WITH_META,
        check: mended::tools_listed,
        change: &[Change::Before(Seam::Opened, |asked| {
            let has = String::from_utf8_lossy(asked.body).contains("io.modelcontextprotocol/");
            let text = "Unrecognized key in _meta: io.modelcontextprotocol/protocolVersion";
            has.then(|| refused(StatusCode::BAD_REQUEST, -32602, text))
        })],
    },
];

fn unsupported(asked: &Asked<'_>) -> Reply {
    let text = "Bad Request: Unsupported protocol version (supported versions: 2025-06-18, 2025-03-26)";
    let error = json!({"code": -32000, "message": text});
    reply::json(StatusCode::BAD_REQUEST, &json!({"jsonrpc": "2.0", "id": asked.json()["id"], "error": error}))
}

/// Changes the result of `initialize`.
fn hello(asked: &Asked<'_>, answer: &mut Value, change: impl FnOnce(&mut Value)) {
    if asked.calls("initialize") {
        change(&mut answer["result"]);
    }
}

/// Another answer to the probe of MCP 2026-07-28.
fn discovered(asked: &Asked<'_>, other: impl FnOnce() -> Reply) -> Option<Reply> {
    asked.calls("server/discover").then(other)
}
