//! What is asked of the proxies, and what a right answer has.

use super::kit::requests;

/// Silent streams that are held at a time.
pub const STREAMS: usize = 1000;

pub struct Workload {
    pub name: &'static str,
    pub connections: usize,
    pub requests: usize,
    pub request: fn(&str) -> Vec<u8>,
    pub status: u16,
    /// What the first answer on each connection has to have in it, in lower case.
    pub has: &'static [&'static str],
    /// And what it may not.
    pub has_not: &'static [&'static str],
    /// Only for proxies that can change a body.
    pub rewrites: bool,
}

const SIMPLE: Workload = Workload {
    name: "",
    connections: 64,
    requests: 24_000,
    request: |host| requests::message(host, ""),
    status: 200,
    has: &[],
    has_not: &[],
    rewrites: false,
};

pub const WORKLOADS: &[Workload] = &[
    Workload { name: "small JSON, 1 connection", connections: 1, requests: 8_000, has: &["\"weather\""], ..SIMPLE },
    Workload { name: "small JSON, 64 connections", has: &["\"weather\""], ..SIMPLE },
    Workload {
        name: "401, challenge added",
        request: requests::stranger,
        status: 401,
        has: &["\r\nwww-authenticate: bearer", "\r\naccess-control-expose-headers:"],
        ..SIMPLE
    },
    Workload {
        name: "metadata, CORS added",
        requests: 16_000,
        request: |host| requests::get(host, "/.well-known/oauth-protected-resource/mcp"),
        has: &["\r\naccess-control-allow-origin: *\r\n", "\r\ncache-control:"],
        ..SIMPLE
    },
    Workload {
        name: "registration mended",
        requests: 16_000,
        request: requests::register,
        status: 201,
        has: &["\"client_secret_expires_at\":1749600000,"],
        has_not: &["1749513600.25"],
        rewrites: true,
        ..SIMPLE
    },
    Workload {
        name: "POST, one SSE event",
        requests: 16_000,
        request: |host| requests::message(host, "?event"),
        has: &["it rains in oslo"],
        ..SIMPLE
    },
    Workload {
        name: "1 MiB body",
        connections: 4,
        requests: 400,
        request: |host| requests::get(host, "/files/document"),
        has: &["0123456789abcdef"],
        ..SIMPLE
    },
];
