//! What crosses crates, in one test binary.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a binary of tests: a panic is a failing test"
)]

mod identity_laws;
mod identity_traps;
mod store_laws;
