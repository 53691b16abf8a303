//! JSON-RPC messages in answers (MCP schema): what every parser needs is there, what one of them rejects is not. What a
//! tool is given and what it says is never touched.

pub mod batch;
pub mod batch_refused;
pub mod bom;
pub mod content;
pub mod envelope;
pub mod error;
pub mod id;
pub mod initialize_incomplete;
pub mod input_schema;
pub mod nulls;
mod shape;
pub mod version_unknown;

use bytes::Bytes;
use http::Method;

use crate::edit::json::Object;
use crate::exchange::Request;
use crate::exchange::edits::Edits;
use crate::jsonrpc::Envelope;

/// Whether a message brings a result that is an object.
fn has_result(message: &Envelope) -> bool {
    message.is_response() && message.result.as_deref().is_some_and(|result| result.first() == Some(&b'{'))
}

/// Whether a message answers a request of this method: the one it came with, or, on a stream that a GET has opened, one that
/// was posted elsewhere; then its result tells.
fn is_answer_to(request: &Request, message: &Envelope, method: &str) -> bool {
    has_result(message)
        && (request.calls(method) || message.result.as_ref().is_some_and(|result| looks_like(request, result, method)))
}

/// Whether a result that came on a stream is one of this method, by the members that no other has.
fn looks_like(request: &Request, result: &Bytes, method: &str) -> bool {
    let named: &[&str] = match method {
        "initialize" => &["protocolVersion", "serverInfo"],
        "tools/list" => &["tools"],
        "resources/list" => &["resources"],
        "resources/templates/list" => &["resourceTemplates"],
        "prompts/list" => &["prompts"],
        _ => return false,
    };
    if request.method != Method::GET {
        return false;
    }
    Object::parse_message(result.clone()).is_ok_and(|result| {
        let is_it = |name: &&str| if method == "initialize" { result.has(name) } else { result.list(name).is_some() };
        named.iter().any(is_it) && !["content", "structuredContent"].iter().any(|name| result.has(name))
    })
}

/// The message with another text of one member.
fn with(message: &Object, name: &str, text: Bytes) -> Edits {
    let mut message = message.clone();
    message.splice(name, text);
    Edits::to_document(message)
}

/// Whether an object is no JSON-RPC message but what an HTTP server or an authorization server says: only an `error` that
/// is a text, and no sign of JSON-RPC.
fn is_foreign(message: &Envelope) -> bool {
    let is_text = message.error.as_deref().is_some_and(|error| error.first() != Some(&b'{'));
    is_text && !message.is_versioned && message.id.is_none() && message.result.is_none()
}
