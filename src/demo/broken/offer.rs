//! What the MCP server offers: a few tools, a resource and a prompt, each with everything that may be said of it.

use serde_json::{Value, json};

/// The tool that needs more scope than a login asks for.
pub(super) const FORGET: &str = "forget";
/// The tool whose answer comes as an event stream.
pub(super) const COUNT: &str = "count";

/// JSON-RPC 2.0 section 5.1.
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
/// MCP 2025-11-25, server/resources.
const RESOURCE_NOT_FOUND: i32 = -32002;

const NOTE: &str = "demo://note";

/// A method's result, or JSON-RPC code and message.
type Outcome = Result<Value, (i32, String)>;

/// Answers a method.
pub(super) fn call(method: &str, params: &Value, more: bool) -> Outcome {
    match method {
        "ping" => Ok(json!({})),
        "tools/list" => Ok(tools(more)),
        "tools/call" => use_tool(params),
        "resources/list" => Ok(json!({ "resources": [note()] })),
        "resources/templates/list" => Ok(json!({ "resourceTemplates": [] })),
        "resources/read" => read(params),
        "prompts/list" => Ok(json!({ "prompts": [greeting()] })),
        "prompts/get" => prompt(params),
        _ => Err((METHOD_NOT_FOUND, format!("Method not found: {method}"))),
    }
}

/// A tool that changes nothing, with this one thing that it is given.
fn tool(name: &str, title: &str, description: &str, properties: &Value, required: &[&str]) -> Value {
    json!({
        "name": name,
        "title": title,
        "description": description,
        "inputSchema": {
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        },
        "annotations": {"title": title, "readOnlyHint": true, "idempotentHint": true, "openWorldHint": false},
    })
}

/// Those that the token's scope allows.
fn tools(more: bool) -> Value {
    let number = |what: &str| json!({"type": "number", "description": what});
    let text = json!({"text": {"type": "string", "description": "What to say"}});
    let numbers = json!({"a": number("The first"), "b": number("The second")});
    let mut add = tool("add", "Add", "Adds two numbers.", &numbers, &["a", "b"]);
    add["outputSchema"] =
        json!({"type": "object", "properties": {"sum": number("Both together")}, "required": ["sum"]});
    let mut tools = vec![
        tool("echo", "Echo", "Says the text again.", &text, &["text"]),
        add,
        tool(COUNT, "Count", "Counts to three, with a word on the way.", &json!({}), &[]),
    ];
    if more {
        let mut forget = tool(FORGET, "Forget", "Ends every session.", &json!({}), &[]);
        forget["annotations"] = json!({"title": "Forget", "readOnlyHint": false, "destructiveHint": true});
        tools.push(forget);
    }
    json!({ "tools": tools })
}

/// Wrong arguments are the tool's to report, so that a model can correct itself (MCP 2025-11-25, server/tools).
fn use_tool(params: &Value) -> Outcome {
    let arguments = &params["arguments"];
    let mut structured = None;
    let done = match params["name"].as_str() {
        Some("echo") => arguments["text"].as_str().map(str::to_owned).ok_or("echo wants a text: {\"text\": \"...\"}"),
        Some("add") => match (arguments["a"].as_f64(), arguments["b"].as_f64()) {
            (Some(a), Some(b)) => {
                structured = Some(json!({ "sum": a + b }));
                Ok((a + b).to_string())
            }
            _ => Err("add wants two numbers: {\"a\": 1, \"b\": 2}"),
        },
        Some(COUNT) => Ok("one, two, three".to_owned()),
        Some(FORGET) => Ok("every session ended".to_owned()),
        name => return Err((INVALID_PARAMS, format!("Unknown tool: {}", name.unwrap_or("(none)")))),
    };
    let failed = done.is_err();
    let text = done.unwrap_or_else(str::to_owned);
    let mut result = json!({"content": [{"type": "text", "text": text}], "isError": failed});
    if let Some(structured) = structured {
        result["structuredContent"] = structured;
    }
    Ok(result)
}

fn note() -> Value {
    json!({
        "uri": NOTE,
        "name": "note",
        "title": "A note",
        "description": "Says that the connection works.",
        "mimeType": "text/plain",
        "size": 9,
        "annotations": {"audience": ["user"], "priority": 0.5},
    })
}

fn read(params: &Value) -> Outcome {
    if params["uri"] != NOTE {
        return Err((RESOURCE_NOT_FOUND, format!("Resource not found: {}", params["uri"])));
    }
    Ok(json!({"contents": [{"uri": NOTE, "mimeType": "text/plain", "text": "It works."}]}))
}

fn greeting() -> Value {
    json!({
        "name": "greeting",
        "title": "A greeting",
        "description": "Asks for a greeting.",
        "arguments": [{"name": "name", "title": "Name", "description": "Whom to greet", "required": true}],
    })
}

fn prompt(params: &Value) -> Outcome {
    let name = params["arguments"]["name"].as_str().filter(|_| params["name"] == "greeting");
    let name = name.ok_or_else(|| (INVALID_PARAMS, "greeting wants a name".to_owned()))?;
    let text = json!({"type": "text", "text": format!("Greet {name}.")});
    Ok(json!({"description": "Asks for a greeting.", "messages": [{"role": "user", "content": text}]}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, arguments: Value) -> (String, bool) {
        let result = use_tool(&json!({"name": name, "arguments": arguments})).unwrap();
        (result["content"][0]["text"].as_str().unwrap().to_owned(), result["isError"].as_bool().unwrap())
    }

    #[test]
    fn tools_do_their_work() {
        assert_eq!(said("echo", json!({"text": "é <b>"})), ("é <b>".to_owned(), false));
        assert_eq!(said("add", json!({"a": 2, "b": 3})), ("5".to_owned(), false));
        assert_eq!(said("add", json!({"a": 0.5, "b": -1})), ("-0.5".to_owned(), false));
        assert!(said("add", json!({"a": "2", "b": 3})).1);
        assert!(said("echo", Value::Null).1);
        assert_eq!(use_tool(&json!({"name": "rm"})).unwrap_err().0, INVALID_PARAMS);
    }

    #[test]
    fn a_tool_that_may_not_be_called_is_not_listed() {
        let names = |more| tools(more)["tools"].as_array().unwrap().len();
        assert_eq!((names(false), names(true)), (3, 4));
    }

    #[test]
    fn other_methods_are_not_found() {
        assert_eq!(call("ping", &Value::Null, false), Ok(json!({})));
        assert_eq!(call("completion/complete", &Value::Null, false).unwrap_err().0, METHOD_NOT_FOUND);
    }

    #[test]
    fn what_is_listed_is_there() {
        let note = call("resources/list", &Value::Null, false).unwrap()["resources"][0].clone();
        let read = call("resources/read", &json!({"uri": note["uri"]}), false).unwrap();
        assert_eq!(read["contents"][0]["text"].as_str().map(str::len), note["size"].as_u64().map(|size| size as usize));
        assert!(call("resources/read", &Value::Null, false).is_err());
        let prompt = call("prompts/list", &Value::Null, false).unwrap()["prompts"][0].clone();
        let asked = json!({"name": prompt["name"], "arguments": {"name": "Ada"}});
        assert_eq!(call("prompts/get", &asked, false).unwrap()["messages"][0]["content"]["text"], "Greet Ada.");
        assert!(call("prompts/get", &Value::Null, false).is_err());
    }
}
