//! What crosses crates: stories told in a few words, strategies for property tests, and the naive
//! model of identity that the real one is compared with.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a crate of tests: a panic is a failing test"
)]

pub mod story;
pub mod strategies;
pub mod model;
