//! What crosses crates: stories told in a few words, strategies for property tests, the naive model
//! of identity that the real one is compared with, and streams and tables of invented people with
//! the truth beside them.
#![forbid(unsafe_code)]
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a crate of tests: a panic is a failing test"
)]

pub mod story;
pub mod asking;
pub mod promises;
pub mod strategies;
pub mod model;
pub mod chance;
pub mod names;
pub mod opening;
pub mod writing;
pub mod agreement;
pub mod trap_stream;
pub mod people;
pub mod fuzzing;

/// The Rust examples of the documentation, run as documentation tests.
#[cfg(doctest)]
pub mod documents {
    #[doc = include_str!("../../README.md")]
    pub mod readme {}
    #[doc = include_str!("../../docs/journeys.md")]
    pub mod journeys {}
    #[doc = include_str!("../../docs/measures.md")]
    pub mod measures {}
}
