//! What the traffic benches share: an upstream that costs little, requests made ready, and a reader of answers.

#![allow(dead_code, reason = "each bench uses a part of it")]

pub mod answer;
pub mod requests;
pub mod upstream;
