//! TLS: how the upstream is believed.

pub mod client;
pub mod server;
