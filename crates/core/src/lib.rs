//! What mcp-mend knows of MCP and how it mends it. Nothing here reads a socket, a file or a clock, and nothing writes a log:
//! what happens follows from the arguments alone (ARCHITECTURE.md).
#![forbid(unsafe_code)]

pub mod client;
pub mod coding;
pub mod documents;
pub mod edit;
pub mod endpoint;
pub mod evidence;
pub mod example;
pub mod exchange;
pub mod facts;
pub mod fence;
pub mod headers;
pub mod jsonrpc;
pub mod knowledge;
pub mod lesson;
pub mod machine;
pub mod plan;
pub mod repair;
pub mod repairs;
pub mod seal;
pub mod sse;
pub mod steps;
