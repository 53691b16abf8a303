//! The proxy between real sockets. Nothing here waits by the clock: every test waits for what it wants to see, and
//! where time is the subject the limits are set short.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod kit;

mod access;
mod accounting;
mod addresses;
mod admin;
mod asked_again;
mod auth;
mod authorize;
mod bodies;
mod boundaries;
mod broken_upstream;
mod captures;
mod check;
mod check_side_effects;
mod cli;
mod corpus;
mod cors;
mod crowd;
mod crowding;
mod demo;
mod descriptors;
mod desync;
mod drain;
mod endurance;
mod faults;
mod framing;
mod fuzzing;
mod h2_floods;
mod h2_in;
mod h2_limits;
mod headers;
mod hostile;
mod house;
mod leaks;
mod learning;
mod leaving;
mod lessons;
mod limits;
#[cfg(unix)]
mod listening;
mod malformed;
mod manual;
mod messages;
mod metadata;
#[cfg(target_os = "linux")]
mod notify;
mod otlp;
mod paths;
mod pool;
mod registration;
mod reload;
mod reload_load;
mod sealed_sessions;
mod secrets;
mod shared_streams;
mod simulation;
mod sites;
mod streaming;
mod tls;
mod tls_in;
mod token;
mod upstream_http2;
mod waf;
mod watching;
