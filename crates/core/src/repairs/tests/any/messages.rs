//! JSON-RPC messages and event streams of every kind: as servers write them, and as nobody should.

use proptest::prelude::*;

const METHODS: [&str; 11] = [
    "initialize",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "ping",
    "own/method",
];

/// A request over either transport, of every method that a repair knows and one that none does.
pub(in crate::repairs::tests) fn any_call() -> BoxedStrategy<String> {
    let other = prop::sample::select(vec![
        "GET /mcp",
        "GET /sse",
        "POST /mcp\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
    ])
    .prop_map(str::to_owned);
    prop_oneof![5 => call_of(&METHODS), 1 => other].boxed()
}

fn call_of(methods: &[&'static str]) -> BoxedStrategy<String> {
    let id = text(&["\"id\":1,", "\"id\":1,", "\"id\":\"1\",", "\"id\":\"a\",", "\"id\":-5,", "\"id\":null,", ""]);
    let version =
        text(&["\"2025-11-25\"", "\"2025-03-26\"", "\"2024-10-07\"", "\"2026-07-28\"", "\"draft\"", "7", "null"]);
    let head = text(&[
        "POST /mcp",
        "POST /mcp",
        "POST /mcp\nMcp-Protocol-Version: 2026-07-28",
        "POST /mcp\nAccept: application/json",
        "POST /messages?sessionId=a",
    ]);
    (head, text(methods), id, version)
        .prop_map(|(head, method, id, version)| {
            let params = format!("{{\"protocolVersion\":{version}}}");
            format!("{head}\n\n{{\"jsonrpc\":\"2.0\",{id}\"method\":\"{method}\",\"params\":{params}}}")
        })
        .boxed()
}

/// A request and a message that may come in answer to it: mostly of the kind that belongs there.
pub(in crate::repairs::tests) fn any_exchange() -> impl Strategy<Value = (String, String)> {
    let lists = ["tools/list", "resources/list", "resources/templates/list", "prompts/list"];
    prop_oneof![
        (any_call(), any_message_text()),
        (call_of(&lists), answer_with(any_page())),
        (call_of(&["initialize"]), answer_with(any_start())),
        (call_of(&["tools/call"]), answer_with(any_said())),
    ]
}

/// A value as somebody might write it where another belongs.
fn any_leaf() -> BoxedStrategy<String> {
    prop::sample::select(vec![
        "null",
        "null",
        "true",
        "false",
        "0",
        "1.50",
        "-0.0",
        "1e400",
        "123456789012345678901234567890",
        "\"\"",
        "\"x\"",
        "\"\\u00e9\\/\"",
        "\"null\"",
        "{}",
        "[]",
        "[ null ]",
        "{\"a\" : null}",
        "[\"x\", 1]",
        "{\"type\":\"text\",\"text\":\"hi\"}",
    ])
    .prop_map(str::to_owned)
    .boxed()
}

/// An object with some of these members, each mostly as it should be; its blanks are its own.
fn object(members: Vec<(&'static str, BoxedStrategy<String>)>) -> BoxedStrategy<String> {
    let members: Vec<_> = members
        .into_iter()
        .map(|(name, value)| {
            let odd = if name == UNKNOWN { value.clone() } else { any_leaf() };
            let value = prop_oneof![3 => value, 1 => odd];
            prop::option::weighted(0.6, value.prop_map(move |value| (name, value)))
        })
        .collect();
    let blanks = prop::sample::select(vec![(":", ","), (": ", ", "), (" : ", " ,\n ")]);
    (members, blanks)
        .prop_map(|(members, (colon, comma))| {
            let members: Vec<String> =
                members.into_iter().flatten().map(|(name, value)| format!("\"{name}\"{colon}{value}")).collect();
            format!("{{{}}}", members.join(comma))
        })
        .boxed()
}

fn list(element: BoxedStrategy<String>) -> BoxedStrategy<String> {
    let element = prop_oneof![5 => element, 1 => any_leaf()];
    prop::collection::vec(element, 0..3).prop_map(|elements| format!("[{}]", elements.join(", "))).boxed()
}

fn text(texts: &[&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(texts.to_vec()).prop_map(str::to_owned).boxed()
}

/// What nobody has heard of, null more often than not. Its spelling is found again in a text.
pub(in crate::repairs::tests) const UNKNOWN: &str = "x_unknown";

pub(in crate::repairs::tests) const UNKNOWN_VALUES: [&str; 4] = ["null", "{\"title\": null}", "1.50", "\"\\u00e9\""];

fn unknown() -> BoxedStrategy<String> {
    text(&UNKNOWN_VALUES)
}

fn any_tool() -> BoxedStrategy<String> {
    let schema = || object(vec![("type", text(&["\"object\""])), ("default", any_leaf()), (UNKNOWN, unknown())]);
    let hints = object(vec![
        ("title", text(&["\"t\"", "null"])),
        ("readOnlyHint", text(&["true", "null"])),
        (UNKNOWN, unknown()),
    ]);
    object(vec![
        ("name", text(&["\"a\""])),
        ("title", text(&["\"t\"", "null"])),
        ("description", text(&["\"null\"", "null"])),
        ("inputSchema", schema()),
        ("outputSchema", schema()),
        ("annotations", hints),
        ("icons", list(object(vec![("src", text(&["\"s\""])), ("sizes", any_leaf()), (UNKNOWN, unknown())]))),
        ("execution", object(vec![("taskSupport", any_leaf()), (UNKNOWN, unknown())])),
        (UNKNOWN, unknown()),
    ])
}

fn any_resource() -> BoxedStrategy<String> {
    let annotations = object(vec![("audience", any_leaf()), ("priority", any_leaf()), (UNKNOWN, unknown())]);
    let arguments = list(object(vec![("required", any_leaf()), ("description", any_leaf()), (UNKNOWN, unknown())]));
    object(vec![
        ("uri", text(&["\"file:///a\""])),
        ("mimeType", text(&["null", "\"text/plain\""])),
        ("size", text(&["null", "1"])),
        ("annotations", annotations),
        ("arguments", arguments),
        (UNKNOWN, unknown()),
    ])
}

/// The result of a list.
fn any_page() -> BoxedStrategy<String> {
    object(vec![
        ("tools", list(any_tool())),
        ("resources", list(any_resource())),
        ("resourceTemplates", list(any_resource())),
        ("prompts", list(any_resource())),
        ("nextCursor", text(&["\"\"", "null", "\"n\""])),
        ("_meta", text(&["null", "{\"a\":null}"])),
        (UNKNOWN, unknown()),
    ])
}

/// The result of `initialize`.
fn any_start() -> BoxedStrategy<String> {
    let flags = object(vec![("listChanged", text(&["null", "true"])), (UNKNOWN, unknown())]);
    let capabilities = object(vec![
        ("tools", flags.clone()),
        ("prompts", text(&["true", "false", "null"])),
        ("resources", flags),
        ("experimental", any_leaf()),
    ]);
    let server = object(vec![
        ("name", text(&["\"s\""])),
        ("version", text(&["\"1\"", "1"])),
        ("title", any_leaf()),
        (UNKNOWN, unknown()),
    ]);
    object(vec![
        ("protocolVersion", text(&["\"2025-11-25\"", "\"2026-07-28\"", "\"2025-04-01\"", "\"2024-10-07\"", "\"1\""])),
        ("capabilities", capabilities),
        ("serverInfo", server),
        ("instructions", any_leaf()),
        (UNKNOWN, unknown()),
    ])
}

/// The result of a tool.
fn any_said() -> BoxedStrategy<String> {
    let block = object(vec![("type", text(&["\"text\""])), ("text", text(&["\"hi\"", "null"])), (UNKNOWN, unknown())]);
    object(vec![
        ("content", prop_oneof![list(block.clone()), block, any_leaf()].boxed()),
        ("structuredContent", any_leaf()),
        ("isError", text(&["true", "false", "null"])),
        ("messages", any_leaf()),
        ("contents", any_leaf()),
        ("resultType", text(&["\"complete\"", "\"input_required\""])),
        ("task", any_leaf()),
        ("nextCursor", any_leaf()),
        ("completion", object(vec![("total", any_leaf()), ("values", any_leaf())])),
        (UNKNOWN, unknown()),
    ])
}

fn any_result() -> BoxedStrategy<String> {
    prop_oneof![3 => any_page(), 2 => any_start(), 3 => any_said(), 1 => any_leaf()].boxed()
}

fn any_id() -> BoxedStrategy<String> {
    text(&["1", "1", "\"1\"", "1.0", "\"a\"", "-5", "null", "2", "{}"])
}

fn any_version() -> BoxedStrategy<String> {
    prop_oneof![4 => Just("\"2.0\"".to_owned()), 1 => any_leaf()].boxed()
}

fn answer_with(result: BoxedStrategy<String>) -> BoxedStrategy<String> {
    (any_version(), any_id(), result)
        .prop_map(|(version, id, result)| format!("{{\"jsonrpc\":{version},\"id\":{id},\"result\":{result}}}"))
        .boxed()
}

/// One message, sound or not, with what JSON-RPC does not know now and then.
pub(in crate::repairs::tests) fn any_message_text() -> BoxedStrategy<String> {
    let error = object(vec![
        ("code", text(&["-32602", "\"-32602\"", "-32602.0", "1.5", "\"NOT_FOUND\"", "123456789012345678901234567890"])),
        ("message", text(&["\"no\"", "null", "[1]"])),
        ("data", text(&["null", "{\"a\":null}"])),
        (UNKNOWN, unknown()),
    ]);
    let refusal = (any_version(), any_id(), prop_oneof![3 => error.clone(), 1 => any_leaf()])
        .prop_map(|(version, id, error)| format!("{{\"error\" : {error}, \"id\":{id},\"jsonrpc\":{version} }}"));
    let anything = object(vec![
        ("jsonrpc", text(&["\"2.0\""])),
        ("id", any_id()),
        ("method", text(&["\"roots/list\"", "\"notifications/message\""])),
        ("params", any_leaf()),
        ("result", any_result()),
        ("error", error),
        ("took", any_leaf()),
        // Given twice: the last one counts.
        ("id", any_id()),
        ("result", any_leaf()),
    ]);
    prop_oneof![4 => answer_with(any_result()), 2 => refusal, 3 => anything, 1 => any_leaf()].boxed()
}

/// The text of a stream: events with every kind of line end, field and data, the last of them perhaps without its end.
pub(in crate::repairs::tests) fn any_stream_text() -> impl Strategy<Value = String> {
    let data = prop_oneof![
        6 => any_message_text(),
        2 => list(any_message_text()),
        1 => any_leaf(),
        2 => text(&["[DONE]", "ping", "", "{\"jsonrpc\":", "/messages?x", "\"/messages?x\"", " /m ", "{\"uri\":\"\\\" /m\\\"\"}"]),
    ];
    let name =
        text(&["message", "message", "endpoint", "response", "ping", ""]).prop_map(|name| format!("event: {name}"));
    let field = text(&["id: 7", "id:", "retry: 5", ": c", "odd", "data", "event: response", "\u{feff}"]);
    let event = (
        prop::option::of(name),
        prop::collection::vec(field, 0..2),
        prop::option::weighted(0.9, data),
        text(&["\n", "\n", "\r\n", "\r\n", "\r"]),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
        prop::option::weighted(0.1, text(&["\n", "\r\n", "\r", "\n\r\n"])),
    )
        .prop_map(|(name, fields, data, end, marked, bare, odd_end)| {
            let mut text = if marked { "\u{feff}".to_owned() } else { String::new() };
            if let (true, Some(data)) = (bare, &data) {
                return format!("{text}{data}{end}{end}");
            }
            for line in name.into_iter().chain(fields) {
                text.push_str(&format!("{line}{end}"));
            }
            for line in data.iter().flat_map(|data| data.split('\n')) {
                text.push_str(&format!("data: {line}{end}"));
            }
            text.push_str(odd_end.as_deref().unwrap_or(&end));
            text
        });
    (prop::collection::vec(event, 1..4), prop::option::weighted(0.3, 1..6_usize)).prop_map(|(events, cut)| {
        let text = events.concat();
        let end = text.len() - cut.unwrap_or(0).min(text.len());
        text.get(..end).unwrap_or(&text).to_owned()
    })
}

/// A message in which nothing is wrong, whatever was asked.
fn sound_message() -> BoxedStrategy<String> {
    text(&[
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
        "{\"jsonrpc\": \"2.0\", \"id\": 1, \"result\": {\"content\": [{\"type\": \"text\", \"text\": \"null \\r\\n\"}], \"x\": null}}",
        "{\"result\":{\"tools\":[ ],\"x\":1e400},\"id\":2,\"jsonrpc\":\"2.0\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"x\",\"data\":{\"a\":null}}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":null}}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"s\",\"method\":\"roots/list\"}",
    ])
}

/// The text of a stream in which nothing is wrong: LF or CR LF, names, ids, comments and the events that begin one.
pub(in crate::repairs::tests) fn sound_stream_text() -> impl Strategy<Value = String> {
    let message = (
        text(&["", "event: message\n", "event:message\n", ": c\n"]),
        text(&["", "id: 7\n", "id:\n", "retry: 5\n"]),
        text(&["data: ", "data:"]),
        sound_message(),
    )
        .prop_map(|(name, id, before, data)| format!("{name}{id}{before}{data}\n\n"));
    let other = text(&[
        ":\n\n",
        ": keep-alive\n\n",
        "id: 7\ndata:\n\n",
        "id: 7\ndata: \nretry: 5\n\n",
        "event: ping\ndata: {}\n\n",
        "event: ping\ndata: now\n\n",
        "event: endpoint\ndata: /messages?sessionId=a\n\n",
        "data: {\"jsonrpc\":\"2.0\",\ndata:  \"id\":1,\ndata: \"result\":{}}\n\n",
        "\n",
    ]);
    let event = (prop_oneof![3 => message, 2 => other], any::<bool>())
        .prop_map(|(text, crlf)| if crlf { text.replace('\n', "\r\n") } else { text });
    prop::collection::vec(event, 1..6).prop_map(|events| events.concat())
}

/// An answer to a message, of every form and under every name: the text that `example::reply` reads.
pub(in crate::repairs::tests) fn any_answer() -> impl Strategy<Value = String> {
    let status = text(&["200", "200", "200", "201", "202", "400", "404", "500"]);
    let kind = text(&[
        "application/json",
        "application/json",
        "text/event-stream",
        "application/json-rpc",
        "text/plain",
        "text/html; charset=utf-8",
    ]);
    let body = prop_oneof![
        2 => any_message_text().prop_filter("a body", |body| body.starts_with('{')),
        2 => list(any_message_text()),
        1 => any_stream_text(),
        1 => text(&["(empty)", "[]", "[1]", "no"]),
    ];
    (status, kind, body).prop_map(|(status, kind, body)| format!("{status}\nContent-Type: {kind}\n\n{body}"))
}
