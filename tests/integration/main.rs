//! The proxy between real sockets. Nothing here waits by the clock: every test waits for what it wants to see, and
//! where time is the subject the limits are set short.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod kit;

mod access;
mod admin;
mod auth;
mod authorize;
mod bodies;
mod captures;
mod check;
mod check_side_effects;
mod cli;
mod cors;
mod crowd;
mod demo;
mod drain;
mod faults;
mod framing;
mod h2_floods;
mod h2_in;
mod headers;
mod hostile;
mod leaks;
mod learning;
mod leaving;
mod malformed;
mod messages;
mod metadata;
mod paths;
mod pool;
mod registration;
mod streaming;
mod tls;
mod tls_in;
mod token;
mod waf;
