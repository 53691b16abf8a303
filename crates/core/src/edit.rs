//! Helpers that repairs share: each module knows one text form and can change a part of it while the rest stays
//! byte for byte as it came.

pub mod basic;
pub mod challenge;
pub mod csp;
pub mod json;
pub mod jwt;
pub mod list;
pub mod origin;
pub mod page;
pub mod params;
