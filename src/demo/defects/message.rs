//! What is wrong with the messages themselves (catalogue 4F, F-24 to F-30).

use serde_json::{Value, json};

use super::{Defect, remove};
use crate::demo::mended::messages as mended;
use crate::demo::parts::change::{Asked, Change, Seam};
use crate::demo::visit::messages as visit;

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "error-null",
        row: "F-24",
        summary: "`error`: null beside the result",
        ask: visit::ECHO,
        check: mended::said,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            if asked.calls("tools/call") {
                answer["error"] = Value::Null;
            }
        })],
    },
    Defect {
        name: "result-null",
        row: "F-24",
        summary: "`result`: null beside an error",
        ask: visit::UNKNOWN_TOOL,
        check: mended::not_known,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            if asked.calls("tools/call") {
                answer["result"] = Value::Null;
            }
        })],
    },
    Defect {
        name: "message-member-foreign",
        row: "F-24",
        summary: "an answer has a member that JSON-RPC does not know",
        ask: visit::ECHO,
        check: mended::said,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            if asked.calls("tools/call") {
                answer["took"] = json!("1 ms");
            }
        })],
    },
    Defect {
        name: "message-version-missing",
        row: "F-24",
        summary: "an answer without `jsonrpc`",
        ask: visit::ECHO,
        check: mended::said,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            if asked.calls("tools/call") {
                remove(answer, "jsonrpc");
            }
        })],
    },
    Defect {
        name: "error-id-null",
        row: "F-24",
        summary: "an error without the id of its request",
        ask: visit::UNKNOWN_TOOL,
        check: mended::not_known,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            if asked.calls("tools/call") {
                answer["id"] = Value::Null;
            }
        })],
    },
    Defect {
        name: "error-code-text",
        row: "F-24",
        summary: "the code of an error is a text",
        ask: visit::UNKNOWN_TOOL,
        check: mended::not_known,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            if asked.calls("tools/call") {
                answer["error"]["code"] = json!("-32602");
            }
        })],
    },
    Defect {
        name: "id-fraction",
        row: "F-24",
        summary: "the id of an answer has a fraction: 2.0 for 2",
        ask: visit::ECHO,
        check: mended::said,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            if asked.calls("tools/call") {
                answer["id"] = json!(answer["id"].as_f64());
            }
        })],
    },
    Defect {
        name: "batch-of-one",
        row: "F-25",
        summary: "an answer is a list of one message",
        ask: visit::ECHO,
        check: mended::said,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            if asked.calls("tools/call") {
                *answer = json!([answer.take()]);
            }
        })],
    },
    Defect {
        name: "batch-of-two",
        row: "F-25",
        summary: "an answer is a list of two messages",
        ask: visit::ECHO,
        check: mended::said,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            if asked.calls("tools/call") {
                let log = json!({"level": "info", "data": "done"});
                let log = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": log});
                *answer = json!([log, answer.take()]);
            }
        })],
    },
    Defect {
        name: "tool-nulls",
        row: "F-27",
        summary: "null for what may be said of a tool, and is not",
        ask: visit::TOOLS,
        check: mended::tools_listed,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            on(asked, "tools/list", answer, |result| {
                nulls(&mut result["tools"][1], &["title", "description", "annotations", "outputSchema"])
            })
        })],
    },
    Defect {
        name: "resource-nulls",
        row: "F-27",
        summary: "null for what may be said of a resource, and is not",
        ask: visit::RESOURCES,
        check: mended::resources_listed,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            on(asked, "resources/list", answer, |result| {
                nulls(&mut result["resources"][0], &["title", "description", "mimeType", "size", "annotations"])
            })
        })],
    },
    Defect {
        name: "prompt-nulls",
        row: "F-27",
        summary: "null for what may be said of a prompt, and is not",
        ask: visit::PROMPTS,
        check: mended::prompts_listed,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            on(asked, "prompts/list", answer, |result| {
                nulls(&mut result["prompts"][0], &["title", "description", "arguments"])
            })
        })],
    },
    Defect {
        name: "initialize-nulls",
        row: "F-27",
        summary: "null for what initialize may say of a server, and does not",
        ask: visit::INITIALIZE,
        check: mended::initialized,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            on(asked, "initialize", answer, |result| {
                nulls(result, &["instructions"]);
                nulls(&mut result["serverInfo"], &["title"]);
            })
        })],
    },
    Defect {
        name: "result-meta-null",
        row: "F-27",
        summary: "`_meta`: null in a result",
        ask: visit::TOOLS,
        check: mended::tools_listed,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            on(asked, "tools/list", answer, |result| nulls(result, &["_meta"]))
        })],
    },
    Defect {
        name: "cursor-null",
        row: "F-27",
        summary: "`nextCursor`: null on the last page",
        ask: visit::TOOLS,
        check: mended::tools_listed,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            on(asked, "tools/list", answer, |result| nulls(result, &["nextCursor"]))
        })],
    },
    Defect {
        name: "cursor-empty",
        row: "F-27",
        summary: "an empty `nextCursor` on the last page, after which some ask for ever",
        ask: visit::TOOLS,
        check: mended::tools_listed,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            on(asked, "tools/list", answer, |result| result["nextCursor"] = json!(""))
        })],
    },
    Defect {
        name: "tool-schema-missing",
        row: "F-28",
        summary: "a tool without inputSchema",
        ask: visit::TOOLS,
        check: mended::tools_listed,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            on(asked, "tools/list", answer, |result| remove(&mut result["tools"][2], "inputSchema"))
        })],
    },
    Defect {
        name: "tool-schema-untyped",
        row: "F-28",
        summary: "the inputSchema of a tool is {}",
        ask: visit::TOOLS,
        check: mended::tools_listed,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            on(asked, "tools/list", answer, |result| result["tools"][2]["inputSchema"] = json!({}))
        })],
    },
    Defect {
        name: "content-missing",
        row: "F-30",
        summary: "the result of a tool has structuredContent and no content",
        ask: visit::ECHO,
        check: mended::said,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            on(asked, "tools/call", answer, |result| *result = json!({"structuredContent": {"text": "hello"}}))
        })],
    },
    Defect {
        name: "content-null",
        row: "F-30",
        summary: "the content of a tool's result is null",
        ask: visit::ECHO,
        check: mended::said,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            on(asked, "tools/call", answer, |result| result["content"] = Value::Null)
        })],
    },
    Defect {
        name: "content-text",
        row: "F-30",
        summary: "the content of a tool's result is a text, not a list",
        ask: visit::ECHO,
        check: mended::said,
        change: &[Change::Document(Seam::Opened, |asked, answer| {
            on(asked, "tools/call", answer, |result| result["content"] = json!("hello"))
        })],
    },
];

/// Changes the result of a method.
fn on(asked: &Asked<'_>, method: &str, answer: &mut Value, change: impl FnOnce(&mut Value)) {
    if asked.calls(method) && answer["result"].is_object() {
        change(&mut answer["result"]);
    }
}

fn nulls(object: &mut Value, names: &[&str]) {
    for name in names {
        object[name] = Value::Null;
    }
}
