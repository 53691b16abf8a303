//! mcp-mend: a reverse proxy that mends what is non-compliant in a remote MCP server's answers.
//!
//! Four floors; a file uses only its own floor and those above it in this list (ARCHITECTURE.md).
#![forbid(unsafe_code)]

// Pure core: no I/O, clock, logging, globals.
pub mod client;
pub mod coding;
pub mod documents;
pub mod edit;
pub mod endpoint;
pub mod exchange;
pub mod headers;
pub mod hosts;
pub mod jsonrpc;
pub mod knowledge;
pub mod lesson;
pub mod repair;
pub mod repairs;
pub mod seal;
pub mod sse;

// Pure plan: classification, configuration, text forms.
pub mod admission;
pub mod config;
pub mod example;
pub mod fence;
pub mod machine;
pub mod plan;
pub mod ranges;
pub mod redact;
pub mod replay;
pub mod report;
pub mod waf;

// I/O: the only floor that awaits.
pub mod alarm;
pub mod body;
pub mod connection;
pub mod learn;
pub mod memory;
pub mod overload;
pub mod proxy;
pub mod rate;
pub mod refuse;
pub mod upstream;

// Process.
pub mod admin;
pub mod check;
pub mod cli;
pub mod demo;
pub mod notify;
pub mod reload;
pub mod runtime;
mod secret;
pub mod server;
pub mod signals;
pub mod sites;
pub mod telemetry;
pub mod tls;
pub mod watch;
