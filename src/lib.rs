//! mcp-mend: a reverse proxy that mends what is non-compliant in a remote MCP server's answers.
//!
//! Four floors; a file uses only its own floor and those above it in this list (ARCHITECTURE.md).
#![forbid(unsafe_code)]

// The pure core is a crate of its own: no I/O, clock, logging, globals.
pub use mcp_mend_core::{
    client, coding, documents, edit, endpoint, evidence, example, exchange, fence, headers, jsonrpc, knowledge, lesson,
    machine, plan, repair, repairs, seal, sse, steps,
};

// Pure plan: configuration, text forms.
pub mod admission;
pub mod complaint;
pub mod config;
pub mod counters;
pub mod ending;
pub mod hosts;
pub mod ranges;
pub mod redact;
pub mod replay;
pub mod report;
pub mod tape;
pub mod waf;

// I/O: the only floor that awaits.
pub mod body;
pub mod connection;
pub mod lazy_timer;
pub mod learn;
pub mod learner;
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
pub mod otlp;
pub mod reload;
pub mod runtime;
mod secret;
pub mod server;
pub mod signals;
pub mod sites;
pub mod telemetry;
pub mod terminal;
pub mod tls;
pub mod vitals;
pub mod watch;
