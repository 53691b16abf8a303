//! JSON-RPC messages in answers (MCP schema): what every parser needs is there, what one of them rejects is not. What a
//! tool is given and what it says is never touched.

pub mod batch;
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

use crate::jsonrpc::Envelope;

/// Whether a message brings a result that is an object.
fn has_result(message: &Envelope) -> bool {
    message.is_response() && message.result.as_deref().is_some_and(|result| result.first() == Some(&b'{'))
}

/// Whether an object is no JSON-RPC message but what an HTTP server or an authorization server says: only an `error` that
/// is a text, and no sign of JSON-RPC.
fn is_foreign(message: &Envelope) -> bool {
    let is_text = message.error.as_deref().is_some_and(|error| error.first() != Some(&b'{'));
    is_text && !message.is_versioned && message.id.is_none() && message.result.is_none()
}
