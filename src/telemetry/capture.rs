//! Captures: redacted exchanges in files, one a flow.

pub mod files;
pub mod form;
mod known;
pub mod read;
#[cfg(test)]
mod tests;
