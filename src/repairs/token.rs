//! The token endpoint (RFC 6749).

pub mod cacheable;
