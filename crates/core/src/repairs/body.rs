//! Bodies of any kind.

pub mod coding_unasked;
