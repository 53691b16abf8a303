//! What an exchange that passes is evidence of: of which lesson, and how much of it its caller could have made.

pub mod message;
pub mod response;
