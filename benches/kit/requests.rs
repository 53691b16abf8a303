//! The requests of the benches, as the bytes that go over the wire.

const LIST: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"_meta":{"progressToken":7}}}"#;

const CLIENT: &str = r#"{"client_name":"Claude","redirect_uris":["https://claude.ai/api/mcp/auth_callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}"#;

/// What every client sends to the MCP endpoint.
const MCP: &str = "User-Agent: claude-user/1.0\r\nAccept: application/json, text/event-stream\r\n\
                   MCP-Protocol-Version: 2025-06-18\r\nMcp-Session-Id: 8f14e45fceea167a5a36dedd4bea2543\r\n";

const TOKEN: &str = "Authorization: Bearer 5f1d7a84db00d2fce00b31a7fc73224f\r\n";

fn write(line: &str, host: &str, fields: &str, body: &str) -> Vec<u8> {
    let body = if body.is_empty() {
        "\r\n".to_owned()
    } else {
        format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    format!("{line} HTTP/1.1\r\nHost: {host}\r\n{fields}{body}").into_bytes()
}

/// A message to the MCP endpoint, with a token. The query tells the upstream what to answer.
pub fn message(host: &str, query: &str) -> Vec<u8> {
    write(&format!("POST /mcp{query}"), host, &format!("{MCP}{TOKEN}"), LIST)
}

/// The same without a token.
pub fn stranger(host: &str) -> Vec<u8> {
    write("POST /mcp", host, MCP, LIST)
}

pub fn register(host: &str) -> Vec<u8> {
    write("POST /register", host, "User-Agent: claude-user/1.0\r\nAccept: application/json\r\n", CLIENT)
}

pub fn get(host: &str, path: &str) -> Vec<u8> {
    write(&format!("GET {path}"), host, "User-Agent: claude-user/1.0\r\nAccept: */*\r\n", "")
}

/// A stream from the server on which nothing happens.
pub fn listen(host: &str) -> Vec<u8> {
    write("GET /mcp?silent", host, &format!("{MCP}{TOKEN}"), "")
}
